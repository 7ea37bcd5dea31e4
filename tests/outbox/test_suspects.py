"""Which message a broker ends its connections for."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.outbox.sender.suspects import Suspects


def test_the_one_that_was_alone_under_way_at_the_third_end_is_the_one():
    suspects = Suspects()
    assert suspects.cut_off(["health", 7]) is None
    assert not suspects.is_careful
    assert suspects.cut_off(["health", 7]) is None
    assert suspects.is_careful
    assert suspects.cut_off([7]) == 7
    suspects.cleared("health")
    assert not suspects.is_careful


def test_a_message_that_was_answered_is_none():
    suspects = Suspects()
    for _ in range(10):
        assert suspects.cut_off([7]) is None
        suspects.cleared(7)


def test_a_connection_that_lasted_clears_all():
    suspects = Suspects()
    suspects.cut_off([7])
    suspects.cut_off([7])
    suspects.settled()
    assert not suspects
    assert suspects.cut_off([7]) is None


@given(st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9), max_size=4))
def test_a_broker_that_ends_it_for_some_is_found_out_and_for_no_other(under_way, poison):
    """One at a time, in order, as the delivery does: the innocent are answered."""
    suspects, found = Suspects(), set()
    for _ in range(100):
        waiting = [one for one in sorted(under_way) if one not in found]
        if not set(waiting) & poison:
            break
        if suspects.is_careful:
            while waiting[0] not in poison:
                suspects.cleared(waiting.pop(0))
            waiting = waiting[:1]
        culprit = suspects.cut_off(waiting)
        if culprit is not None:
            found.add(culprit)
    assert found == under_way & poison
