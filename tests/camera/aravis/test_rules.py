"""Which trigger a picture answers, when it was exposed, what its bytes mean: without a camera."""

import numpy as np
import pytest

from camera.drivers.aravis.moments import Moments, Now
from camera.drivers.aravis.pixels import LAYOUTS, layout_called
from camera.drivers.aravis.triggers import SoftwareTriggers

MS = 1_000_000


def test_pictures_answer_triggers_in_their_order():
    triggers = SoftwareTriggers(100 * MS)
    assert [triggers.fire(at * MS) for at in (0, 20)] == [0, 1]
    assert triggers.answered(25 * MS) == (0, 0), "it was read out while the second was exposed"
    assert triggers.answered(40 * MS) == (1, 20 * MS)
    assert triggers.answered(60 * MS) is None, "nothing asked for it"


def test_a_trigger_without_a_picture_is_waited_for_and_then_given_up():
    triggers = SoftwareTriggers(100 * MS)
    triggers.fire(0)
    assert triggers.waits(99 * MS)
    assert not triggers.waits(101 * MS)
    triggers.fire(150 * MS)
    assert triggers.answered(170 * MS) == (1, 150 * MS), "the camera had left out the first"


def test_a_picture_that_comes_after_its_trigger_was_given_up_is_not_taken_for_the_next_part():
    triggers = SoftwareTriggers(100 * MS)
    triggers.fire(0)
    assert not triggers.waits(150 * MS)
    triggers.fire(150 * MS)
    assert triggers.answered(90 * MS) == (0, 0)
    assert triggers.answered(170 * MS) == (1, 150 * MS)


def test_exposures_that_never_arrived_take_their_triggers_with_them():
    triggers = SoftwareTriggers(100 * MS)
    for at in (0, 10, 20):
        triggers.fire(at * MS)
    triggers.lost(2)
    assert triggers.answered(35 * MS) == (2, 20 * MS)


def test_a_picture_that_waited_is_dated_by_its_first_packet():
    moments = Moments()
    offset = 10**18
    assert moments.exposed_ns(None, offset + 50 * MS, Now(80 * MS, offset + 80 * MS)) == 50 * MS


def test_a_system_clock_that_is_set_makes_no_picture_look_new_or_a_year_old():
    moments = Moments()
    offset = 10**18
    assert moments.exposed_ns(None, offset + 50 * MS, Now(60 * MS, offset + 60 * MS)) == 50 * MS
    later = offset - 3600 * 1000 * MS
    assert moments.exposed_ns(None, offset + 80 * MS, Now(90 * MS, later + 90 * MS)) == 90 * MS
    assert moments.exposed_ns(None, later + 100 * MS, Now(130 * MS, later + 130 * MS)) == 100 * MS


def test_a_camera_with_a_clock_is_dated_by_it_however_late_its_packets_come():
    moments = Moments()
    offset, device = 10**18, 7 * 10**15
    assert moments.exposed_ns(device, offset + 10 * MS, Now(11 * MS, offset + 11 * MS)) == 10 * MS
    late = moments.exposed_ns(device + 20 * MS, offset + 75 * MS, Now(76 * MS, offset + 76 * MS))
    assert late == pytest.approx(30 * MS, abs=MS)


@pytest.mark.parametrize(("name", "bits"), [("Mono10", 10), ("Mono12", 12), ("Mono14", 14), ("Mono16", 16)])
def test_the_upper_eight_bits_of_deep_pixels_are_kept(name, bits):
    words = (np.arange(6, dtype="<u2") << (bits - 8)) + 1
    pixels = layout_called(name).convert(words.view(np.uint8), 2, 3)
    assert pixels.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "first"),
    [("BayerRG8", "red"), ("BayerBG8", "blue"), ("BayerGR8", "green red"), ("BayerGB8", "green blue")],
)
def test_bayer_patterns_are_named_by_their_first_row(name, first):
    """A red part through each filter: only the sites of red see it."""
    row, column = {"red": (0, 0), "green red": (0, 1), "green blue": (1, 0), "blue": (1, 1)}[first]
    mosaic = np.zeros((16, 16), np.uint8)
    mosaic[row::2, column::2] = 200
    picture = layout_called(name).convert(mosaic.ravel(), 16, 16)
    blue, green, red = picture[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    assert red > 150
    assert blue < 20
    assert green < 20


def test_every_layout_makes_a_picture_that_is_its_own():
    for layout in LAYOUTS.values():
        data = np.zeros(16 * 16 * layout.pixel_bytes, np.uint8)
        pixels = layout.convert(data, 16, 16)
        assert pixels.shape[:2] == (16, 16)
        assert not np.shares_memory(pixels, data)
