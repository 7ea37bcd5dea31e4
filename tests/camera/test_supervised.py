"""A driver in a process of its own: what happens to the pictures, and to everybody else, when it hangs or dies."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from camera import CameraConfigError, CameraLost, make_camera
from camera.supervised import SupervisedCamera

SMALL = {"driver": "virtual", "width_px": 160, "height_px": 100, "latency_s": 0.0, "exposure_s": 0.0, "seed": 5}


@pytest.fixture
def camera():
    made = SupervisedCamera(SMALL)
    yield made
    made.end()


def started(camera):
    camera.open()
    camera.start()
    return camera


def shot(camera):
    camera.trigger()
    return camera.read(5)


def test_the_pictures_are_those_of_the_same_driver_here(camera):
    here = make_camera(SMALL)
    started(here)
    started(camera)
    for _ in range(20):
        expected, got = shot(here), shot(camera)
        assert np.array_equal(expected.pixels, got.pixels)
        assert expected.truth == got.truth
        assert (expected.sequence, expected.source) == (got.sequence, got.source)


def test_epochs_go_on_over_a_killed_driver(camera):
    started(camera)
    first = shot(camera).epoch
    os.kill(camera.pid, signal.SIGKILL)
    camera.close()
    started(camera)
    assert shot(camera).epoch == first + 1


def test_a_driver_that_hangs_is_ended_and_the_next_one_works(camera):
    started(camera)
    held = shot(camera)
    before = held.pixels.copy()
    hung = camera.pid
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(CameraLost, match=r"hangs in trigger\(\)"):
        camera.trigger()
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)
    camera.close()
    started(camera)
    assert shot(camera).sequence == 0
    assert np.array_equal(held.pixels, before), "a frame outlives the process that took it"


def test_a_driver_that_hangs_does_not_hold_up_who_closes_it(camera):
    started(camera)
    os.kill(camera.pid, signal.SIGSTOP)
    began = time.monotonic()
    camera.end()
    assert time.monotonic() - began < 10
    assert camera.pid is None


def test_frames_that_are_kept_are_never_written_over_also_by_the_next_life(camera):
    started(camera)
    kept, copies = [], []
    for _ in range(30):
        kept.append(shot(camera))
        copies.append(kept[-1].pixels.copy())
    camera.close()
    started(camera)
    for _ in range(30):
        shot(camera)
    assert all(np.array_equal(frame.pixels, copy) for frame, copy in zip(kept, copies, strict=True))


def test_a_frame_in_hand_lies_in_shared_memory_and_is_no_copy(camera):
    started(camera)
    shot(camera)
    frame = shot(camera)
    assert not frame.pixels.flags.owndata
    assert not frame.pixels.flags.writeable


def test_the_driver_ends_with_the_process_that_started_it():
    program = (
        "import sys, time; from camera.supervised import SupervisedCamera\n"
        f"camera = SupervisedCamera({SMALL!r}); camera.open(); camera.start()\n"
        "print(camera.pid, flush=True); camera.read(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    driver = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    limit = time.monotonic() + 20
    while Path(f"/proc/{driver}").exists():
        assert time.monotonic() < limit, "the driver's process goes on alone"
        os.sched_yield()


def test_settings_are_refused_before_any_process_is_started():
    with pytest.raises(CameraConfigError, match="did you mean width_px"):
        SupervisedCamera({"driver": "virtual", "widht_px": 100})


def test_what_open_raises_crosses_with_its_sentence(tmp_path):
    camera = SupervisedCamera({"driver": "folder", "folder": str(tmp_path / "none")})
    try:
        with pytest.raises(Exception, match="there is no folder") as raised:
            camera.open()
        assert type(raised.value).__name__ == "CameraNotFound"
    finally:
        camera.end()


@pytest.mark.parametrize(
    "nonsense", [b"\xff\x00", b"[]", b'[2, null, {"shape": [9999, 9999], "slot": 0, "size": null}]']
)
def test_a_driver_that_answers_nonsense_is_ended_and_replaced(camera, monkeypatch, nonsense):
    started(camera)
    shot(camera)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        camera._driver._requests.close()
        monkeypatch.setattr(camera._driver, "_requests", ours)
        monkeypatch.setattr(camera._driver, "_number", 1)
        theirs.send(nonsense)
        with pytest.raises(CameraLost, match="nonsense"):
            camera.read(1)
    camera.close()
    started(camera)
    assert shot(camera).sequence == 0
