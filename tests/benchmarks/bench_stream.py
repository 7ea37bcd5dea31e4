"""How old the pictures of a streaming camera are when they can be judged, as the line reads them and as OpenCV alone.

    python tests/benchmarks/bench_stream.py [--seconds 20] [--size 1280x720] [--fps 25]

The servers of tests/streams.py burn the moment of capture into each picture, so ages are true ones, through H.264 and
the network stack. The line's way is SupervisedCamera (a process of its own, shared memory); bare is
cv2.VideoCapture(url).read(), with its defaults. The slow reader needs ten times the pictures' period for each.
Ways take turns in the order of the table; all see the same server.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from streams import MjpegServer, RtspServer, StreamServer, burned_in, missing_for_rtsp

from camera.supervised import SupervisedCamera

RTSP_P50_MS = 110.0
SLOWER = 10
SKIPPED = 5
"""Pictures at the beginning that are not counted, for a quick reader."""

Read = Callable[[], np.ndarray | None]


@contextmanager
def the_lines_way(url: str) -> Iterator[Read]:
    camera = SupervisedCamera({"driver": "opencv", "url": url, "trigger": "free"})
    try:
        camera.open()
        camera.start()
        yield lambda: camera.read(5).pixels
    finally:
        camera.end()


@contextmanager
def bare_opencv(url: str) -> Iterator[Read]:
    capture = cv2.VideoCapture(url)
    try:
        yield lambda: capture.read()[1]
    finally:
        capture.release()


def ages_ms(read: Read, seconds: float, pause_s: float) -> list[float]:
    """Of each picture, when the reader has it."""
    ages = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pixels = read()
        assert pixels is not None, "the stream ended"
        ages.append((time.monotonic_ns() - burned_in(pixels)[1]) / 1e6)
        if pause_s:
            time.sleep(pause_s)
    return ages


def measure(server: StreamServer, seconds: float, fps: int) -> dict[tuple[str, str], np.ndarray]:
    measured = {}
    for reader, pause_s in (("fast", 0.0), ("slow", SLOWER / fps)):
        for name, way in (("the line's", the_lines_way), ("bare cv2", bare_opencv)):
            with way(server.url) as read:
                measured[name, reader] = np.array(ages_ms(read, seconds, pause_s)[0 if pause_s else SKIPPED :])
    return measured


def run(seconds: float, size: tuple[int, int], fps: int) -> dict[str, dict[tuple[str, str], np.ndarray]]:
    options = ("--width", str(size[0]), "--height", str(size[1]), "--fps", str(fps))
    results = {}
    for title, kind in (("RTSP, H.264, tcp", RtspServer), ("MJPEG over HTTP", MjpegServer)):
        if kind is RtspServer and (missing := missing_for_rtsp()):
            print(missing)
            continue
        server = kind(*options).start()
        try:
            results[title] = measure(server, seconds, fps)
        finally:
            server.end()
    print(
        f"\nAge of a picture when the reader has it, ms; {size[0]} x {size[1]} at {fps} a second, {seconds:g} s each\n"
    )
    columns = "".join(f" {column:>8}" for column in ("pictures", "p50", "p95", "p99", "worst", "last"))
    print(f"{'source':18} {'way':11} {'reader':7}{columns}")
    for title, measured in results.items():
        for (way, reader), ages in measured.items():
            p50, p95, p99 = np.percentile(ages, [50, 95, 99])
            print(
                f"{title:18} {way:11} {reader:7} {len(ages):8} {p50:8.1f} {p95:8.1f} {p99:8.1f} {ages.max():8.1f} "
                f"{ages[-1]:8.1f}"
            )
    return results


@pytest.mark.benchmark
@pytest.mark.timeout(300)
def test_pictures_of_a_stream_are_young_also_for_a_slow_reader():
    results = run(10.0, (1280, 720), 25)
    rtsp = results.get("RTSP, H.264, tcp")
    if rtsp is None:
        pytest.skip(missing_for_rtsp())
    assert np.median(rtsp["the line's", "fast"]) <= RTSP_P50_MS
    slow = rtsp["the line's", "slow"]
    assert np.median(slow[len(slow) // 2 :]) <= RTSP_P50_MS + 1e3 / 25, "a period more, and no growth"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=int, default=25)
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    run(options.seconds, (int(width), int(height)), options.fps)


if __name__ == "__main__":
    main()
