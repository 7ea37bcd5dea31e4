"""Triggers and pictures that are only observed: whose picture is it?"""

from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import given

from appliance.inspection.binding import Binder

MS = 1_000_000
WINDOW, EARLY = 50 * MS, 2 * MS


@dataclass(frozen=True)
class Trigger:
    """All that the binder reads of a part."""

    triggered_ns: int


def binder(*triggers_ms):
    one = Binder(WINDOW, EARLY)
    parts = [Trigger(at * MS) for at in triggers_ms]
    for part in parts:
        one.expect(part)
    return one, parts


def test_a_picture_is_of_the_trigger_just_before_it():
    one, (first, second) = binder(0, 100)
    assert one.offer(5 * MS, None).part is first
    assert one.offer(105 * MS, None).part is second


def test_a_trigger_that_the_camera_ignored_is_missing_and_its_neighbours_keep_their_pictures():
    one, (first, ignored, third) = binder(0, 100, 200)
    assert one.offer(5 * MS, None).part is first
    binding = one.offer(205 * MS, None)
    assert (binding.part, binding.missing) == (third, (ignored,))


def test_five_triggers_and_one_picture_are_five_parts_that_nobody_can_tell_apart():
    one, parts = binder(0, 2, 4, 6, 8)
    binding = one.offer(9 * MS, None)
    assert binding.part is None
    assert binding.ambiguous == tuple(parts)
    assert one.overdue(2**62) == []


def test_with_the_cameras_count_of_pulses_they_can_be_told_apart():
    one, parts = binder(0, 2, 4, 6, 8)
    binding = one.offer(9 * MS, 3)
    assert binding.part is parts[2]
    assert binding.missing == tuple(parts[:2])
    assert one.overdue(2**62) == parts[3:]


def test_a_picture_without_a_trigger_is_nobodys():
    one, (part,) = binder(0)
    assert one.offer(5 * MS, None).part is part
    assert one.offer(20 * MS, None).part is None
    assert not one.has_candidate(20 * MS)


def test_a_picture_that_is_too_late_for_its_trigger_is_nobodys_and_the_trigger_is_missing():
    one, (part,) = binder(0)
    binding = one.offer(51 * MS, None)
    assert (binding.part, binding.missing) == (None, (part,))


def test_a_picture_may_seem_a_little_earlier_than_its_trigger_and_not_more():
    one, (part,) = binder(100)
    assert one.offer(97 * MS, None).part is None
    assert one.offer(99 * MS, None).part is part


def test_a_trigger_without_a_picture_is_known_when_its_window_is_over():
    one, (part,) = binder(0)
    assert one.next_due_ns() == WINDOW
    assert one.overdue(WINDOW) == []
    assert one.overdue(WINDOW + 1) == [part]


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=40),
    st.data(),
)
def test_no_part_is_judged_by_anothers_picture_and_none_is_forgotten(gaps_ms, data):
    """Whatever the camera ignores or makes by itself: a part has its own picture, or none."""
    at, triggers = 0, []
    for gap in gaps_ms:
        at += gap
        triggers.append(Trigger(at * MS))
    made = data.draw(
        st.lists(st.sampled_from(["taken", "ignored", "spurious"]), min_size=len(gaps_ms), max_size=len(gaps_ms))
    )
    counted = data.draw(st.booleans())
    one, settled = Binder(WINDOW, EARLY), []
    for number, (trigger, fate) in enumerate(zip(triggers, made, strict=True), 1):
        one.expect(trigger)
        if fate == "ignored":
            continue
        binding = one.offer(trigger.triggered_ns + MS // 2, number if counted else None)
        settled += [*binding.missing, *binding.ambiguous]
        if binding.part is not None:
            assert binding.part is trigger, "another part's picture"
            settled.append(binding.part)
        if fate == "spurious":
            again = one.offer(trigger.triggered_ns + MS // 2, None)
            assert again.part is None
            settled += [*again.missing, *again.ambiguous]
    settled += one.overdue(2**62)
    assert sorted(part.triggered_ns for part in settled) == [part.triggered_ns for part in triggers]
