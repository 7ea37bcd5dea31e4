"""Hours of pictures at 60 a second: memory and files stay as they are, in the driver's process and in this one.

Two minutes by default; CAMERA_SOAK_S=3600 for the hour. Prints what it measured (pytest -s).
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from camera_kinds import missing
from camera_kinds import running as part_running
from running import until

from camera import CameraTimeout
from camera.supervised import SupervisedCamera

SOAK_S = float(os.environ.get("CAMERA_SOAK_S", "120"))
RATE_HZ = 60
SAMPLES = 100
GROWTH_MAX_MIB = 3.0
"""What the straight line through the samples may rise from the beginning to the end: allocators breathe."""

SIXTY_A_SECOND = {
    "gstreamer": {"trigger": "free", "frames": "every", "frame_rate_hz": 60.0, "width_px": 640, "height_px": 480},
    "aravis": {
        "trigger": "free",
        "frames": "every",
        "settings": [["Width", 256], ["Height", 128], ["AcquisitionFrameRate", 60.0]],
    },
}


def own_mib(pid):
    """Memory that a process has for itself alone."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise AssertionError("this kernel does not tell RssAnon")


def files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def rise(samples):
    """How much the straight line through them rises from their first to their last."""
    times, values = np.array(samples).T
    slope, _ = np.polyfit(times, values, 1)
    return float(slope * (times[-1] - times[0]))


@pytest.mark.slow
@pytest.mark.timeout(SOAK_S + 300)
@pytest.mark.parametrize("name", SIXTY_A_SECOND)
def test_memory_stays_flat_at_sixty_pictures_a_second(name, tmp_path):
    if why := missing(name):
        pytest.skip(why)
    with part_running(name, tmp_path) as kind:
        camera = SupervisedCamera({**kind.settings, **SIXTY_A_SECOND[name]})
        try:
            camera.open()
            camera.start()
            soak(name, camera)
        finally:
            camera.end()


def soak(name, camera):
    memory = {"driver": [], "reader": []}
    opened = {"driver": set(), "reader": set()}
    pids = {"driver": camera.pid, "reader": os.getpid()}
    warm_s = min(30.0, SOAK_S / 4)
    busy_until = time.monotonic() + 1.0
    until(lambda: time.monotonic() > busy_until, "all that may wait to wait: the driver's peak", 5)
    began = time.monotonic()
    due, frames, sequence, lost = began + warm_s, 0, None, 0
    while (now := time.monotonic()) < began + warm_s + SOAK_S:
        with suppress(CameraTimeout):
            frame = camera.read(1.0)
            lost += 0 if sequence is None else frame.sequence - sequence - 1
            sequence = frame.sequence
            frames += 1
        if now >= due:
            due += SOAK_S / SAMPLES
            for who, pid in pids.items():
                memory[who].append((now, own_mib(pid)))
                opened[who].add(files(pid))
    took_s = time.monotonic() - began
    assert camera.pid == pids["driver"], "the driver was replaced meanwhile"
    rises = {who: rise(samples) for who, samples in memory.items()}
    print(
        f"\n{name}: {took_s:.0f} s, {frames} frames ({frames / took_s:.1f} a second), {lost} lost, memory rose by "
        + ", ".join(f"{who} {rises[who]:+.2f} of {memory[who][-1][1]:.0f} MiB" for who in rises)
        + f", files {opened}"
    )
    assert frames > took_s * RATE_HZ / 2
    assert max(rises.values()) < GROWTH_MAX_MIB
    assert all(len(counts) == 1 for counts in opened.values()), "files were opened or closed meanwhile"
