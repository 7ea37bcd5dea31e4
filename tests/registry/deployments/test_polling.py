import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.registry.deployments.polling import LOOK_GAP_S, Polling, answered, first_look, look_now, unanswered

DRAW = st.floats(min_value=0, max_value=1)


def test_after_a_start_boxes_look_all_over_the_period():
    looks = [first_look(f"box-{number}", 1800, now=100).due for number in range(500)]
    assert all(100 <= look < 1900 for look in looks)
    for quarter in range(4):
        assert sum(100 + quarter * 450 <= look < 550 + quarter * 450 for look in looks) == pytest.approx(125, abs=40)
    assert first_look("box-1", 1800, 100) == first_look("box-1", 1800, 100)


@pytest.mark.parametrize(("draw", "after"), [(0.0, 1620), (0.5, 1800), (1.0, 1980)])
def test_the_next_look_is_a_period_later_give_or_take_a_tenth(draw, after):
    assert answered(Polling(0, failures=4, not_before=9), 1800, 100, draw) == Polling(100 + after)


def test_the_ceiling_doubles_from_five_seconds_to_fifteen_minutes():
    polling, ceilings = Polling(0), []
    for _ in range(12):
        polling = unanswered(polling, now=0, draw=1.0)
        ceilings.append(polling.due)
    assert ceilings == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]
    assert unanswered(Polling(0, failures=10_000_000), 0, 1.0).due == 900


@given(failures=st.integers(min_value=0, max_value=50), draw=DRAW)
def test_full_jitter_is_anywhere_below_the_ceiling(failures, draw):
    found = unanswered(Polling(0, failures), now=1000, draw=draw)
    ceiling = unanswered(Polling(0, failures), now=1000, draw=1.0).due - 1000
    assert found.due - 1000 == pytest.approx(draw * ceiling)


def test_an_answer_ends_the_backoff():
    patient = unanswered(unanswered(Polling(0), 0, 1.0), 0, 1.0, retry_after_s=60)
    assert patient == Polling(120, failures=2, not_before=60)
    assert answered(patient, 1800, 100, 0.5) == Polling(1900)
    assert unanswered(answered(patient, 1800, 100, 0.5), 0, 1.0).due == 5


@given(asked_s=st.floats(min_value=-1e9, max_value=1e9), draw=DRAW, failures=st.integers(min_value=0, max_value=20))
def test_never_before_what_the_source_asked_for_and_at_most_a_day(asked_s, draw, failures):
    found = unanswered(Polling(0, failures), now=50, draw=draw, retry_after_s=asked_s)
    assert found.due >= 50 + min(max(asked_s, 0), 86_400)
    assert found.due <= 50 + 86_400 + 900
    assert found.not_before == 50 + min(max(asked_s, 0), 86_400)


def test_those_who_were_told_the_same_moment_do_not_come_back_at_the_same_moment():
    dues = [unanswered(Polling(0), 0, draw / 10, retry_after_s=120).due for draw in range(11)]
    assert dues == pytest.approx([120 + 12 * draw for draw in range(11)])
    assert unanswered(Polling(0), 0, 1.0, retry_after_s=86_400).due == 86_400 + 900


class TestLookNow:
    def test_at_once_where_no_spread_is_asked_for(self):
        assert look_now(Polling(due=5000), 100, box_id="b").due == 100

    def test_within_the_spread_at_the_box_own_place(self):
        dues = [look_now(Polling(due=5000), 100, box_id=f"box-{n}", spread_s=600).due for n in range(100)]
        assert min(dues) < 160
        assert 640 < max(dues) <= 700

    def test_not_more_often_than_every_ten_seconds(self):
        polling, looks = Polling(due=5000), []
        for moment in range(100, 161):  # somebody asks each second; each look is answered at once
            polling = look_now(polling, moment, box_id="b")
            if polling.due <= moment:
                looks.append(moment)
                polling = answered(polling, 1800, moment, 0.5)
        assert looks == [100, 110, 120, 130, 140, 150, 160]
        assert LOOK_GAP_S == 10

    def test_a_look_that_comes_earlier_anyway_stays(self):
        soon = Polling(due=101)
        assert look_now(soon, 100, box_id="b", spread_s=3600) is soon or share_is_small("b")

    def test_asking_again_does_not_put_it_off(self):
        polling = look_now(Polling(due=5000), 100, box_id="b", spread_s=600)
        assert look_now(polling, 110, box_id="b", spread_s=600) is polling

    def test_not_before_the_source_wants_us_back(self):
        patient = unanswered(Polling(0), 100, 1.0, retry_after_s=300)
        assert look_now(patient, 150, box_id="b").due == 400


def share_is_small(box: str) -> bool:
    return first_look(box, 3600, 0).due < 1
