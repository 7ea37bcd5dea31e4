"""What the emulator does not do and cameras do: GigE's numbers, clocks that run, pictures that never came."""

# ruff: noqa: N802  # the names are the library's

import pytest

from camera import CameraLost
from camera.drivers.pylon.delivery import Delivery, Source
from camera.drivers.pylon.pixels import Unpacking


class Result:
    """What the library hands over for one whole picture of 2 x 2 pixels."""

    def __init__(self, block_id, ticks=0):
        self.block_id, self.ticks = block_id, ticks

    def GetBlockID(self):
        return self.block_id

    def GetTimeStamp(self):
        return self.ticks

    def GrabSucceeded(self):
        return True

    def GetHeight(self):
        return 2

    def GetWidth(self):
        return 2

    def GetPaddingX(self):
        return 2

    def GetImageBuffer(self):
        return bytes([1, 2, 99, 99, 3, 4, 99, 99])


def delivery(id_bits=16, *, is_triggered_here=False, ticks_per_s=1_000_000_000):
    source = Source(Unpacking("Mono8"), 1, False, "4711", id_bits, ticks_per_s, "ptp", 5_000_000)
    return Delivery(source, is_triggered_here=is_triggered_here)


@pytest.mark.parametrize(
    ("id_bits", "ids", "sequences"),
    [
        (16, [1, 2, 3], [0, 1, 2]),
        (16, [3, 4, 7], [2, 3, 6]),
        (16, [65_534, 65_535, 1, 3], [0, 1, 2, 4]),
        (64, [0, 1, 2], [0, 1, 2]),
        (64, [2, 3], [2, 3]),
        (16, [0, 0, 0], [0, 1, 2]),
        (64, [(1 << 64) - 1] * 2, [0, 1]),
    ],
    ids=["gige", "first ones lost", "wrap", "usb", "usb, first ones lost", "gige without", "usb without"],
)
def test_the_camera_s_numbers_are_a_sequence_with_jumps_where_pictures_are_missing(id_bits, ids, sequences):
    one = delivery(id_bits)
    assert [one.frame(Result(number), 1000).sequence for number in ids] == sequences


def test_a_camera_that_numbers_anew_is_lost():
    one = delivery(64)
    one.frame(Result(50), 1000)
    with pytest.raises(CameraLost, match="opened again"):
        one.frame(Result(3), 2000)


def test_a_picture_that_came_late_is_as_old_as_its_clock_says():
    one = delivery(ticks_per_s=125_000_000)
    period, ms = 125_000_000 // 100, 1_000_000
    prompt = one.frame(Result(1, 7 * period), 1_000 * ms)
    late = one.frame(Result(2, 8 * period), 1_500 * ms)
    assert (late.device_time_ns - prompt.device_time_ns, late.device_clock) == (10 * ms, "ptp")
    assert late.received_ns == 1_500 * ms
    assert abs(late.exposed_ns - (prompt.exposed_ns + 10 * ms)) < ms


def test_a_trigger_whose_picture_never_came_takes_none_from_the_next():
    one = delivery(is_triggered_here=True)
    for number in range(3):
        one.triggered(number * 100_000_000)
    frames = [one.frame(Result(number), 250_000_000) for number in (1, 3)]
    assert [frame.trigger_sequence for frame in frames] == [0, 2]
    assert [frame.exposed_ns for frame in frames] == [5_000_000, 205_000_000]


def test_rows_that_are_filled_up_are_cut():
    assert delivery().frame(Result(1), 1000).pixels.tolist() == [[1, 2], [3, 4]]
