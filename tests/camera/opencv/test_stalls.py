"""Streams that stop and come back: found out in time, and no picture from before is ever given as a good one."""

import threading
import time
from contextlib import suppress

import pytest
from running import until
from streams import burned_in

from camera import CameraLost, CameraNotFound, CameraTimeout, FrameStatus

SCHEMES = pytest.mark.parametrize("scheme", ["rtsp", "http"])
RTSP = pytest.mark.parametrize("scheme", ["rtsp", pytest.param("http", marks=pytest.mark.slow)])
LATE_S = 0.7
"""stale_after_s, and what the quickest picture takes."""


class Line:
    """Reads a camera as the line does: lost, it is opened again. Keeps what it saw."""

    def __init__(self, camera):
        self.camera = camera
        self.frames = []
        self.lost = []
        self.last_ok = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self):
        self._stopping.set()
        self.camera.close()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def good_since(self, when):
        return self.last_ok > when

    def assert_no_old_picture_was_good(self):
        assert self.frames
        for frame, age_s in self.frames:
            assert age_s < LATE_S or frame.status is FrameStatus.STALE

    def _run(self):
        while not self._stopping.is_set():
            try:
                self.camera.open()
                self.camera.start()
                while not self._stopping.is_set():
                    with suppress(CameraTimeout):
                        self._take(self.camera.read(0.5))
            except CameraNotFound:
                pass
            except CameraLost as error:
                self.lost.append((time.monotonic(), str(error)))
            self.camera.close()
            self._stopping.wait(0.3)

    def _take(self, frame):
        self.frames.append((frame, (frame.received_ns - burned_in(frame.pixels)[1]) / 1e9))
        if frame.status is FrameStatus.OK:
            self.last_ok = time.monotonic()


@pytest.fixture(params=[pytest.param("newest", marks=pytest.mark.slow), "every"])
def watch(request, make):
    lines = []

    def one(server, **settings):
        lines.append(Line(make(server.url, trigger="free", frames=request.param, open_timeout_s=2.0, **settings)))
        until(lambda: lines[-1].good_since(0), "the first picture", 10)
        return lines[-1]

    yield one
    for line in lines:
        line.end()


def stall(server, line, for_s):
    """SIGSTOP and SIGCONT; when it went on."""
    server.stall()
    stalled = time.monotonic()
    threading.Event().wait(for_s)
    server.resume()
    resumed = time.monotonic()
    until(lambda: line.good_since(resumed), "pictures after the stall", 15)
    return stalled, resumed


@RTSP
def test_a_camera_that_falls_silent_is_lost_in_time_and_comes_back(scheme, serve, watch):
    server = serve(scheme)
    line = watch(server)
    stalled, resumed = stall(server, line, 2.5)
    assert line.lost, "1.5 s without a picture"
    assert line.lost[0][0] - stalled < 2.5
    assert line.last_ok - resumed < 5.0
    line.assert_no_old_picture_was_good()


@SCHEMES
def test_a_stall_too_short_to_lose_the_camera_makes_no_old_picture_good(scheme, serve, watch):
    server = serve(scheme)
    line = watch(server)
    stall(server, line, 1.0)
    line.assert_no_old_picture_was_good()


@RTSP
def test_a_camera_whose_power_fails_is_back_two_seconds_after_it_is_there(scheme, serve, watch):
    server = serve(scheme)
    line = watch(server)
    killed = time.monotonic()
    server.kill()
    until(lambda: line.lost, "the loss to be seen", 5)
    assert line.lost[0][0] - killed < 2.0
    server.start()
    back = time.monotonic()
    until(lambda: line.good_since(back), "pictures from the new server", 10)
    assert line.last_ok - back < 3.0, "2 s, and what a busy computer adds"
    line.assert_no_old_picture_was_good()


@RTSP
def test_a_camera_that_leaves_an_idle_line_is_known_before_the_next_part(scheme, serve, make):
    server = serve(scheme)
    camera = make(server.url)
    camera.open()
    camera.start()
    assert camera.counters()["stale"] >= 0
    server.stall()
    stalled = time.monotonic()

    def look_after_it():
        while time.monotonic() < stalled + 10:
            camera.counters()
            threading.Event().wait(0.05)

    with pytest.raises(CameraLost, match=r"no (fresh )?picture for 1.5 s"):
        look_after_it()
    assert time.monotonic() - stalled < 3.0
    with pytest.raises(CameraLost):
        camera.trigger()


@pytest.mark.slow
@pytest.mark.timeout(300)
@SCHEMES
def test_a_camera_that_was_stopped_for_a_minute_gives_no_old_picture_as_a_good_one(scheme, serve, watch):
    server = serve(scheme)
    line = watch(server)
    stall(server, line, 60.0)
    threading.Event().wait(5.0)
    line.assert_no_old_picture_was_good()
    assert line.good_since(time.monotonic() - 1.0)


@pytest.mark.slow
@pytest.mark.timeout(300)
@SCHEMES
def test_a_camera_that_was_dead_for_a_minute_gives_no_old_picture_as_a_good_one(scheme, serve, watch):
    server = serve(scheme)
    line = watch(server)
    server.kill()
    threading.Event().wait(60.0)
    server.start()
    back = time.monotonic()
    until(lambda: line.good_since(back), "pictures from the new server", 15)
    threading.Event().wait(5.0)
    line.assert_no_old_picture_was_good()


@pytest.mark.parametrize("lengths", [pytest.param((), marks=pytest.mark.slow), ("--no-lengths",)])
def test_a_trigger_during_a_stall_is_never_answered_by_a_picture_from_before(lengths, serve, make):
    server = serve("http", *lengths)
    camera = make(server.url)
    camera.open()
    camera.start()
    for _ in range(2):
        server.stall()
        triggered_ns = time.monotonic_ns()
        camera.trigger()
        threading.Event().wait(0.9)
        server.resume()
        frame = camera.read(3)
        assert burned_in(frame.pixels)[1] >= triggered_ns


@pytest.mark.slow
@pytest.mark.timeout(200)
@SCHEMES
def test_a_reader_ten_times_too_slow_for_a_minute_sees_no_older_picture_at_the_end(scheme, serve, make_supervised):
    camera = make_supervised(serve(scheme).url, trigger="free")
    camera.open()
    camera.start()
    ages = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        frame = camera.read(3)
        ages.append((time.monotonic_ns() - burned_in(frame.pixels)[1]) / 1e9)
        threading.Event().wait(0.4)
    ages = sorted(ages[len(ages) // 2 :])
    assert ages[len(ages) // 2] < 0.04 + 0.11, "a period, and what the source takes"
