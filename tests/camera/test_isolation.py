"""A driver that hangs, crashes, leaks or is killed takes nothing else down, and is replaced; its pictures stay."""

import gc
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from camera_kinds import descendants, missing
from running import until

from camera import CameraError, CameraInfo, CameraLost, CameraTimeout, Frame, FrameStatus, PixelFormat
from camera.supervised import SupervisedCamera, process
from camera.supervised.wire import (
    DATAGRAM_MAX,
    Request,
    frame_from_json,
    frame_to_json,
    info_from_json,
    info_to_json,
    receive_answer,
    receive_request,
    send_answer,
    send_request,
)

SMALL = {"driver": "virtual", "width_px": 160, "height_px": 100, "latency_s": 0.0, "exposure_s": 0.0, "seed": 5}
WICKED = (sys.executable, str(Path(__file__).parents[1] / "wicked_driver.py"))


@pytest.fixture
def supervise():
    """supervise(settings): a supervised camera, ended with the test."""
    made = []

    def one(settings=SMALL):
        made.append(SupervisedCamera(settings))
        return made[-1]

    yield one
    for camera in made:
        camera.end()


@pytest.fixture
def wicked(supervise, monkeypatch):
    """wicked("segfaults"): a camera whose driver does that at its third read, and acquires."""

    def one(what, **environment):
        monkeypatch.setattr(process, "PROGRAM", WICKED)
        monkeypatch.setenv("WICKED", what)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return started(supervise())

    return one


def started(camera):
    camera.open()
    camera.start()
    return camera


def shot(camera):
    camera.trigger()
    return camera.read(5)


def shoot_until_lost(camera):
    for _ in range(1000):
        shot(camera)


def is_running(pid):
    """A zombie, which somebody has only to take note of, does not run."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def held():
    """What this process has: files, maps of shared memory, threads, children."""
    gc.collect()
    maps = Path("/proc/self/maps").read_text().count("camera frames")
    files = len(list(Path("/proc/self/fd").iterdir()))
    return files, maps, threading.active_count(), len(descendants(os.getpid()))


@pytest.mark.parametrize("times", [4, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_killed_drivers_leave_nothing_behind_and_each_is_replaced(supervise, times):
    camera = supervise()
    shot(started(camera))
    camera.close()
    files, maps, threads, children = held()
    for _ in range(times):
        started(camera)
        shot(camera)
        os.kill(camera.pid, signal.SIGKILL)
        with pytest.raises(CameraLost, match="killed by signal 9"):
            shot(camera)
        camera.close()
        assert camera.pid is None
    started(camera)
    assert shot(camera).sequence == 0
    camera.close()
    assert held() == (files, maps, threads, children)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("segfaults", "killed by signal 11"),
        pytest.param("aborts", "killed by signal 6", marks=pytest.mark.slow),
        ("raises", "exit code 1"),
        pytest.param("exits", "exit code 3", marks=pytest.mark.slow),
    ],
)
def test_a_driver_that_crashes_is_lost_and_a_new_one_works(wicked, what, sentence):
    camera = wicked(what)
    kept = [shot(camera) for _ in range(2)]
    copies = [frame.pixels.copy() for frame in kept]
    with pytest.raises(CameraLost, match=sentence):
        shot(camera)
    camera.close()
    started(camera)
    again = shot(camera)
    assert (again.sequence, again.epoch) == (0, kept[0].epoch + 1)
    assert all(np.array_equal(frame.pixels, copy) for frame, copy in zip(kept, copies, strict=True))


@pytest.mark.parametrize("what", [pytest.param("waits_for_ever", marks=pytest.mark.slow), "keeps_the_interpreter"])
def test_a_read_that_never_returns_is_given_up_and_its_process_killed(wicked, what):
    camera = wicked(what)
    shot(camera)
    kept = shot(camera)
    copy, hung = kept.pixels.copy(), camera.pid
    camera.trigger()
    began = time.monotonic()
    with pytest.raises(CameraLost, match=r"hangs in read\(\) and was ended"):
        camera.read(0.3)
    assert 0.3 <= time.monotonic() - began < 3.3
    assert not is_running(hung)
    camera.close()
    started(camera)
    shot(camera)
    assert np.array_equal(kept.pixels, copy)


def test_a_driver_that_is_halted_in_a_read_is_given_up_and_replaced(supervise):
    camera = started(supervise())
    shot(camera)
    halted = camera.pid
    os.kill(halted, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(CameraLost, match=r"hangs in read\(\)"):
        camera.read(0.2)
    assert time.monotonic() - began < 3.2
    assert not is_running(halted)
    camera.close()
    assert shot(started(camera)).sequence == 0


def test_close_ends_a_read_that_hangs_in_the_driver(supervise):
    camera = started(supervise())
    os.kill(camera.pid, signal.SIGSTOP)
    raised = []

    def read():
        try:
            camera.read(60)
        except CameraLost as lost:
            raised.append((time.monotonic(), str(lost)))

    reader = threading.Thread(target=read)
    reader.start()
    closed_at = time.monotonic()
    camera.close()
    reader.join(10)
    (ended_at, sentence), *_ = raised
    assert ended_at - closed_at < 3
    assert "closed" in sentence


@pytest.mark.slow
def test_a_driver_that_does_not_close_is_ended_all_the_same(wicked):
    camera = wicked("never_closes")
    shot(camera)
    driver = camera.pid
    began = time.monotonic()
    camera.end()
    assert time.monotonic() - began < 8
    assert not is_running(driver)


@pytest.mark.slow
def test_a_driver_that_leaks_is_replaced_before_memory_runs_out(wicked):
    """Here from 200 MiB on; in earnest from a quarter of the computer's memory on."""
    camera = wicked("leaks", WICKED_MEMORY_MAX=str(200 << 20))
    with pytest.raises(CameraLost, match="memory grew beyond"):
        shoot_until_lost(camera)
    camera.close()
    assert shot(started(camera)).sequence == 0


def test_where_memory_runs_out_the_kernel_takes_the_driver_first(supervise):
    camera = started(supervise())
    ours = int(Path("/proc/self/oom_score_adj").read_text())
    assert int(Path(f"/proc/{camera.pid}/oom_score_adj").read_text()) >= max(500, ours)


def test_what_a_driver_started_ends_with_it(wicked):
    camera = wicked("leaves_threads_and_children")
    before = set(descendants(os.getpid()))
    driver = camera.pid
    with pytest.raises(CameraLost, match="exit code 4"):
        shoot_until_lost(camera)
    left = [pid for pid in before | group_of(driver) if is_running(pid) and pid != os.getpid()]
    until(lambda: not any(is_running(pid) for pid in left), "the driver's child to end", 5)


def group_of(leader):
    """Processes of a driver's session, wherever they hang now."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[2]) == leader:
                found.add(int(stat.parent.name))
    return found


def test_the_pipeline_of_a_killed_driver_ends_with_it(supervise):
    if why := missing("gstreamer"):
        pytest.skip(why)
    source = "videotestsrc is-live=true pattern=snow"
    settings = {"driver": "gstreamer", "source": source, "width_px": 64, "height_px": 48, "read_timeout_s": 1.0}
    camera = started(supervise(settings))
    shot(camera)
    (pipeline,) = descendants(camera.pid)
    os.kill(pipeline, signal.SIGSTOP)  # nor can it notice that nobody reads
    os.kill(camera.pid, signal.SIGKILL)
    with pytest.raises(CameraLost):
        shot(camera)
    until(lambda: not is_running(pipeline), "the pipeline to end", 5)
    camera.close()
    assert shot(started(camera)).sequence == 0


@pytest.mark.parametrize("signals", [pytest.param((signal.SIGKILL,), marks=pytest.mark.slow), (signal.SIGSTOP,)])
def test_other_cameras_go_on_untouched(supervise, signals):
    """One is killed or halted, and replaced; the other, at 50 pictures a second, loses none and none is late."""
    ill = started(supervise())
    well = started(supervise({**SMALL, "trigger": "timed", "takt_s": 0.02, "buffers_frames": 4}))
    frames, is_over = [], threading.Event()

    def read():
        while not is_over.is_set():
            frames.append(well.read(5))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        until(lambda: len(frames) >= 5, "frames", 10)
        for one in signals:
            os.kill(ill.pid, one)
        with pytest.raises(CameraLost):
            shot(ill)
        ill.close()
        shot(started(ill))
        seen = len(frames)
        until(lambda: len(frames) >= seen + 5, "frames afterwards", 10)
    finally:
        is_over.set()
        reader.join(10)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))


def test_a_thousand_settings_cross_and_come_back(supervise, monkeypatch, tmp_path):
    """200 kB each way, where a datagram has 64."""
    if why := missing("pylon"):
        pytest.skip(why)
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    settings = [["ImageFilename", f"{tmp_path}/{'x' * 180}{number}"] for number in range(1000)]
    camera = supervise({"driver": "pylon", "settings": settings})
    camera.open()
    assert len(camera.info.settings) > 1000
    assert camera.info.settings[999] == ("ImageFilename", settings[999][1])
    camera.start()
    until(lambda: is_triggered(camera), "the camera to be ready", 5)
    assert camera.read(5).status is FrameStatus.OK


def is_triggered(camera):
    try:
        camera.trigger()
    except CameraError:
        return False
    return True


def test_messages_of_any_length_cross_whole_and_leave_no_file_open():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for length in (1, DATAGRAM_MAX - 10, DATAGRAM_MAX, DATAGRAM_MAX + 1, 1 << 20):
            said = "x" * length
            send_request(ours, Request(7, "make", settings={"source": said}))
            assert receive_request(theirs).settings == {"source": said}
            fd = os.open("/dev/null", os.O_RDONLY)
            send_answer(theirs, 7, said, (fd,))
            os.close(fd)
            number, value, fds = receive_answer(ours)
            assert (number, value, len(fds)) == (7, said, 1)
            os.close(fds[0])
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_everything_about_a_frame_and_a_camera_crosses():
    """Each field with a value that is not its default: one that is added and forgotten on the way is found here."""
    frame = Frame(
        pixels=np.zeros((2, 3, 3), np.uint8),
        pixel_format=PixelFormat.RGB8,
        sequence=11,
        epoch=12,
        exposed_ns=13,
        exposed_utc_ns=14,
        status=FrameStatus.STALE,
        detail="one sentence",
        trigger_sequence=15,
        received_ns=16,
        device_frame_id=(1 << 64) - 1,
        device_time_ns=17,
        device_clock="ptp",
        trigger_count=18,
        skipped_before=19,
        source="where",
        is_simulated=True,
        truth={"label": "scratch"},
    )
    crossed = frame_from_json(frame_to_json(frame, 0, None), frame.pixels, 12)
    for field in fields(Frame):
        assert getattr(crossed, field.name) is frame.pixels or getattr(crossed, field.name) == getattr(
            frame, field.name
        )
        assert (
            field.name in {"pixels", "pixel_format", "sequence", "epoch"} or getattr(frame, field.name) != field.default
        )
    info = CameraInfo("aravis", "model", "serial", True, (("Gain", "2"),), ("a note",))
    assert info_from_json(info_to_json(info)) == info


def test_what_the_driver_counts_crosses(supervise):
    if why := missing("gstreamer"):
        pytest.skip(why)
    settings = {"driver": "gstreamer", "source": "videotestsrc is-live=true", "width_px": 64, "height_px": 48}
    camera = started(supervise(settings))
    shot(camera)
    assert camera.counters()["pictures"] >= 1


def test_the_process_is_kept_while_only_the_camera_is_away(supervise, tmp_path):
    folder = tmp_path / "pictures"
    camera = supervise({"driver": "folder", "folder": str(folder)})
    pids = set()
    for _ in range(3):
        with pytest.raises(CameraError, match="there is no folder"):
            camera.open()
        pids.add(camera.pid)
        camera.close()
    assert len(pids) == 1
    assert None not in pids


def test_a_reader_who_keeps_every_frame_gets_copies_and_the_driver_goes_on(supervise):
    """There is shared memory for twelve; after that a frame is copied out, and nothing waits."""
    camera = started(supervise())
    kept = [shot(camera) for _ in range(40)]
    assert sum(not frame.pixels.flags.owndata for frame in kept) >= 8
    assert [frame.sequence for frame in kept] == list(range(40))
    with pytest.raises(CameraTimeout):
        camera.read(0.0)
