"""The feed of frames: what the line judges is seen by an examiner, and costs the line next to nothing."""

import fcntl
import mmap
import os
import secrets
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from running import until

from appliance.inspection.result import ClassScore, Evaluation, ModelUsed, Result, Times
from appliance.shadowing import Feed, FeedEnded, Taker
from appliance.shadowing.wire import HELLO, back_to_bytes
from camera.frame import Frame, PixelFormat

SHAPE = (40, 60, 3)


def frame(number, shape=SHAPE):
    pixels = np.full(shape, number % 251, np.uint8)
    pixels.setflags(write=False)
    return Frame(pixels, PixelFormat.BGR8, number, 1, 10 + number, 20 + number, is_simulated=True, truth={"label": "x"})


def result(number, model=None):
    return Result(
        station="box",
        camera="top",
        trigger_id=number,
        recipe_id="part",
        config_id="sha256:0",
        evaluation=Evaluation.NOT_OK,
        reason=None,
        detail="",
        classes=(ClassScore("scratch", 0.9, "left"), ClassScore("good", 0.1)),
        model=ModelUsed("surface", 7, "sha256:1") if model is None else model,
        exposed_utc_ns=0,
        times=Times(1.0, 1.0, 4.5, 9.0),
        deadline_ms=100,
        clock_synchronized=True,
        is_simulated=True,
        verdict_ns=0,
    )


class Line:
    """A feed whose thread runs, and what a delivery process would inherit."""

    def __init__(self):
        self.feed = Feed()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.feed.run, args=(self.stop,))
        self.thread.start()
        self.life = self.feed.start_life()
        self.takers = []

    def taker(self):
        memory, socket = (os.dup(one.fileno()) for one in self.life.theirs)
        self.takers.append(Taker(memory, socket))
        return self.takers[-1]

    def offer(self, number, **changes):
        self.feed.offer("surface", "part", changes.pop("frame", None) or frame(number), result(number, **changes))

    def through(self, number, **changes):
        """Offer, and wait until the thread has seen to it."""
        self.offer(number, **changes)
        until(lambda: self.counts.offered == self.counts.taken + self.counts.dropped, "the feed's thread", 10)

    @property
    def counts(self):
        return self.feed.counts()["surface"]

    def end(self):
        for taker in self.takers:
            taker.close()
        self.stop.set()
        self.feed.wake()
        self.thread.join(10)
        self.feed.end_life(self.life)
        for one in self.life.theirs:
            one.close()


@pytest.fixture
def line():
    one = Line()
    yield one
    one.end()


def test_an_examiner_sees_the_frame_and_what_was_said_of_it(line):
    taker = line.taker()
    line.feed.show(["surface"])
    line.offer(3)
    seen = taker.next(10)
    assert np.array_equal(seen.frame.pixels, frame(3).pixels)
    assert not seen.frame.pixels.flags.writeable
    assert seen.frame.pixel_format is PixelFormat.BGR8
    assert seen.frame.truth == {}, "what was drawn is nobody's affair"
    assert (seen.recipe, seen.camera, seen.trigger_id) == ("part", "top", 3)
    assert (seen.evaluation, seen.inference_ms, seen.version) == ("NotOK", 4.5, 7)
    assert list(seen.classes) == [("scratch", 0.9, "left"), ("good", 0.1, None)]
    taker.done(seen)
    assert (line.counts.offered, line.counts.taken, line.counts.dropped) == (1, 1, 0)


def test_nothing_is_shown_before_it_is_wished_for_nor_of_other_models(line):
    taker = line.taker()
    line.offer(1)
    line.feed.show(["other"])
    line.offer(2)
    assert line.feed.counts()["other"].offered == 0
    line.feed.show(["other", "surface"])
    line.offer(3)
    assert taker.next(10).trigger_id == 3


def test_a_taker_that_stalls_costs_frames_and_gets_the_newest_when_it_goes_on(line):
    taker = line.taker()
    line.feed.show(["surface"])
    for number in range(12):
        line.through(number)
    assert (line.counts.taken, line.counts.dropped) == (4, 8)
    seen = [taker.next(10) for _ in range(4)]
    assert [one.trigger_id for one in seen] == [0, 1, 2, 3]
    assert [int(one.frame.pixels[0, 0, 0]) for one in seen] == [0, 1, 2, 3], "nobody wrote over them"
    for one in seen:
        taker.done(one)
    line.through(20)
    assert taker.next(10).trigger_id == 20


def test_without_an_examiner_frames_are_dropped_and_counted(line):
    line.feed.show(["surface"])
    line.through(0)
    assert (line.counts.taken, line.counts.dropped) == (0, 1)


def test_the_next_examiner_begins_with_free_slots_and_sees_nothing_of_the_one_before(line):
    line.taker()
    line.feed.show(["surface"])
    for number in range(6):
        line.through(number)
    second = line.taker()
    line.through(50)
    assert second.next(10).trigger_id == 50
    for number in range(51, 54):
        line.through(number)
    assert [second.next(10).trigger_id for _ in range(3)] == [51, 52, 53]


def test_a_larger_picture_makes_the_slots_anew_when_all_are_back(line):
    taker = line.taker()
    line.feed.show(["surface"])
    line.through(1)
    first = taker.next(10)
    line.through(2, frame=frame(2, (400, 600, 3)))
    assert line.counts.dropped == 1, "one slot is out"
    assert int(first.frame.pixels[0, 0, 0]) == 1
    taker.done(first)
    line.through(3, frame=frame(3, (400, 600, 3)))
    seen = taker.next(10)
    assert seen.frame.pixels.shape == (400, 600, 3)
    assert int(seen.frame.pixels[-1, -1, -1]) == 3


@pytest.mark.parametrize("nonsense", [b"", b"x", b"\xff" * 7, back_to_bytes(1, 3), b"y" * 200])
def test_what_an_examiner_says_cannot_harm_the_line(line, nonsense):
    taker = line.taker()
    line.feed.show(["surface"])
    taker._socket.send(nonsense)
    line.through(1)
    assert taker.next(10).trigger_id == 1
    taker._socket.send(back_to_bytes(taker._epoch, 0xFFF0))
    taker._socket.send(back_to_bytes(taker._epoch, 0))
    line.through(2)
    assert taker.next(10).trigger_id == 2


def test_an_examiner_cannot_write_into_the_memory_nor_cut_it_off(line):
    taker = line.taker()
    line.feed.show(["surface"])
    line.through(1)
    descriptor = taker._memory_fd
    with pytest.raises(OSError, match="Invalid argument"):
        os.ftruncate(descriptor, 0)
    with pytest.raises((OSError, ValueError)):
        mmap.mmap(descriptor, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    reopened = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)  # as any process of the same user could
    with pytest.raises(PermissionError):
        os.ftruncate(reopened, 0)
    with pytest.raises(PermissionError):
        fcntl.fcntl(reopened, 1033, 0x8)  # F_ADD_SEALS
    os.close(reopened)
    line.through(2)
    assert line.counts.taken == 2


def test_memory_goes_back_when_nobody_looks_any_more(line):
    taker = line.taker()
    line.feed.show(["surface"])
    shape = (1200, 1920, 3)
    for number in range(3):
        line.through(number, frame=frame(number, shape))
    memory = Path(f"/proc/self/fd/{taker._memory_fd}")
    assert memory.stat().st_blocks * 512 > 2 * 1200 * 1920 * 3
    line.feed.show([])
    until(lambda: memory.stat().st_blocks == 0, "the memory to be given back", 10)


def test_the_station_pays_microseconds_and_holds_few_frames(line):
    """Also where the feed's thread does nothing at all."""
    line.stop.set()
    line.feed.wake()
    line.thread.join(10)
    line.feed.show(["surface"])
    shown, said = frame(1), result(1)
    took = []
    for _ in range(2000):
        begun = time.perf_counter_ns()
        line.feed.offer("surface", "part", shown, said)
        took.append(time.perf_counter_ns() - begun)
    assert sorted(took)[1000] < 20_000
    assert line.counts.dropped == 1998


def test_the_line_that_ends_is_noticed(line):
    taker = line.taker()
    for one in line.life.theirs:
        one.close()
    line.feed.end_life(line.life)
    with pytest.raises(FeedEnded):
        taker.next(10)


def test_next_comes_back_in_time_where_there_is_nothing(line):
    assert line.taker().next(0.01) is None


def test_hello_is_no_slot():
    assert HELLO > 255
    assert len(back_to_bytes(secrets.randbits(32), HELLO)) == 6
