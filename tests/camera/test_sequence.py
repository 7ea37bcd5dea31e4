"""Device frame ids become a sequence in which a gap is a lost frame, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera.sequence import FrameCounter

GIGE = {"id_bits": 16, "skips_zero": True}
USB = {"id_bits": 64, "skips_zero": False}


def numbered(kind, ids):
    counter = FrameCounter(**kind)
    return [(one.sequence, one.lost_before) for one in map(counter.number, ids)]


def test_ids_of_sixteen_bits_wrap_from_the_last_to_one():
    assert numbered(GIGE, [65534, 65535, 1, 2]) == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_a_frame_that_was_lost_at_the_wrap_is_one_frame():
    assert numbered(GIGE, [65534, 1]) == [(0, 0), (2, 1)]
    assert numbered(GIGE, [65535, 2]) == [(0, 0), (2, 1)]


def test_ids_of_sixty_four_bits_begin_at_zero_and_do_not_wrap():
    assert numbered(USB, [0, 1, 3, 65535, 65536]) == [(0, 0), (1, 0), (3, 1), (65535, 65531), (65536, 0)]


def test_an_id_beyond_sixteen_bits_shows_that_there_are_more():
    assert numbered(GIGE, [65534, 65535, 65536, 65538]) == [(0, 0), (1, 0), (2, 0), (4, 1)]


def test_a_frame_without_an_id_counts_as_the_next():
    counter = FrameCounter(**GIGE)
    counter.number(65535)
    assert counter.unnumbered().sequence == 1
    assert counter.number(2).sequence == 2


def test_ids_that_begin_anew_are_told():
    counter = FrameCounter(**GIGE)
    counter.number(500)
    for again in (1, 500, 499):
        with pytest.raises(ValueError, match="came after 500"):
            counter.number(again)
    counter.restart()
    assert counter.number(1).sequence == 0


@given(st.integers(1, 65535), st.lists(st.integers(1, 30_000), max_size=60))
def test_whatever_is_lost_the_sequence_counts_exposures(first, steps):
    counter = FrameCounter(**GIGE)
    exposure, total = first, 0
    assert counter.number(exposure).sequence == 0
    for step in steps:
        exposure, total = exposure + step, total + step
        one = counter.number((exposure - 1) % 65535 + 1)
        assert (one.sequence, one.lost_before) == (total, step - 1)
