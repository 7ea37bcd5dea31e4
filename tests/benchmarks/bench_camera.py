"""A GigE camera of 1920 x 1200 at 60 pictures a second, by driver aravis, as the line has it: what is lost, late, used.

    python tests/benchmarks/bench_camera.py [--seconds 20] [--packet 8000] [--only one,four,stock,replug]

The camera is Debian's simulator, which takes its share of the same processors and sends each picture in one burst. As
root it gets a network of its own, net.core.rmem_max is raised to 32 MB for as long as this runs, and driver, reader
and simulator are real-time threads, as those of the line are.
"""

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]  # else tests/camera hides camera

from aravis_parts import back, read_on  # noqa: E402
from gige_simulator import GigeSimulator, gige_cameras  # noqa: E402

from appliance.scheduling import enter_real_time  # noqa: E402
from camera import CameraLost, CameraTimeout, FrameStatus  # noqa: E402
from camera.supervised import SupervisedCamera  # noqa: E402

RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
STOCK, RAISED = 212_992, 33_554_432
WIDTH, HEIGHT = 1920, 1200
RECEIVER = "arv_gv_stream"
_SIMULATOR = 5
"""Its real-time priority, below the driver's: a real camera is as punctual whatever else this computer does."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--packet", type=int, default=8000, help="bytes; 1500 where the network has no jumbo frames")
    parser.add_argument("--only", default="one,four,stock,replug")
    options = parser.parse_args()
    chosen = options.only.split(",")
    copy_ms = copying_ms()
    print(f"copy of one picture: {copy_ms:.2f} ms; the driver makes two: out of the library, into shared memory")
    if "one" in chosen:
        with buffer_limit(RAISED):
            show(f"one camera, 60 fps, {options.packet} B", stream(1, 60.0, options.seconds, options.packet), copy_ms)
    if "four" in chosen:
        with buffer_limit(RAISED):
            show(f"four cameras, 15 fps, {options.packet} B", stream(4, 15.0, options.seconds, options.packet), copy_ms)
    if "stock" in chosen:
        with buffer_limit(STOCK):
            show("one camera, 60 fps, stock rmem_max", stream(1, 60.0, 5.0, options.packet), copy_ms)
    if "replug" in chosen:
        replug()


@dataclass
class Taken:
    """What one camera gave while it was measured."""

    good: int = 0
    damaged: int = 0
    jumped: int = 0
    """Sequence numbers that never came."""
    available_ms: list[float] = field(default_factory=list)
    """From received by the driver until read() returned here."""
    whole_ms: list[float] = field(default_factory=list)
    """From its first packet until read() returned here: with the time that the burst takes."""
    receive_s: float = 0.0
    """Processor seconds of libaravis' receiving thread."""
    driver_s: float = 0.0
    """Processor seconds of the rest of the driver's process."""
    reader_s: float = 0.0
    """Processor seconds of the thread that reads here."""
    notes: tuple[str, ...] = ()


def stream(count: int, rate_hz: float, seconds: float, packet: int) -> list[Taken]:
    with gige_cameras(count) as simulators, ExitStack() as ended:
        cameras = [driver(one, rate_hz, packet) for one in simulators]
        for one, camera in zip(simulators, cameras, strict=True):
            ended.callback(camera.end)
            camera.open()
            for task in Path(f"/proc/{one.pid}/task").iterdir():
                with suppress(PermissionError):
                    os.sched_setscheduler(int(task.name), os.SCHED_RR, os.sched_param(_SIMULATOR))
        taken = [Taken(notes=camera.info.notes) for camera in cameras]
        threads = [
            threading.Thread(target=take, args=(camera, one, seconds))
            for camera, one in zip(cameras, taken, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return taken


def driver(simulator: GigeSimulator, rate_hz: float, packet: int) -> SupervisedCamera:
    settings = [["Width", WIDTH], ["Height", HEIGHT], ["PixelFormat", "Mono8"], ["AcquisitionFrameRate", rate_hz]]
    given = {"driver": "aravis", "device": simulator.address, "trigger": "free", "frames": "every"}
    given |= {"packet_size": packet, "socket_buffer_mb": 16, "settings": settings}
    return SupervisedCamera(given, opened=partial(enter_real_time, "driver"))  # as appliance.lines has it


def take(camera: SupervisedCamera, taken: Taken, seconds: float) -> None:
    enter_real_time("camera")
    camera.start()
    last = None
    for _ in range(10):  # the first ones find memory that nobody has touched yet
        last = camera.read(5).sequence
    assert camera.pid is not None
    receive_0, driver_0 = processor_s(camera.pid)
    reader_0 = time.thread_time()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            frame = camera.read(1)
        except CameraTimeout:
            continue
        now_ns = time.monotonic_ns()
        taken.jumped += frame.sequence - last - 1
        last = frame.sequence
        if frame.status is not FrameStatus.OK:
            taken.damaged += 1
            continue
        taken.good += 1
        taken.available_ms.append((now_ns - frame.received_ns) / 1e6)
        taken.whole_ms.append((now_ns - frame.exposed_ns) / 1e6)
    receive_1, driver_1 = processor_s(camera.pid)
    taken.receive_s, taken.driver_s = receive_1 - receive_0, driver_1 - driver_0
    taken.reader_s = time.thread_time() - reader_0


def processor_s(pid: int) -> tuple[float, float]:
    """(the receiving thread's, all others') processor seconds of a process."""
    receive, others = 0.0, 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        used_s = int((task / "schedstat").read_text().split()[0]) / 1e9
        if (task / "comm").read_text().startswith(RECEIVER):
            receive += used_s
        else:
            others += used_s
    return receive, others


def show(what: str, taken: list[Taken], copy_ms: float) -> None:
    good, damaged, jumped = (sum(getattr(one, name) for one in taken) for name in ("good", "damaged", "jumped"))
    print(f"\n{what}\n  pictures good {good}, damaged {damaged}, lost {jumped}")
    if not good:
        print(f"  {taken[0].notes}")
        return
    for name, values in (("received", "available_ms"), ("first packet", "whole_ms")):
        print(f"  {name} -> available, ms: {spread([each for one in taken for each in getattr(one, values)])}")
    receive, driver_ms, reader = (
        sum(getattr(one, name) for one in taken) / good * 1e3 for name in ("receive_s", "driver_s", "reader_s")
    )
    beyond = driver_ms + reader - 2 * copy_ms
    print(
        f"  processor per picture, ms: libaravis receives {receive:.2f}; driver {driver_ms:.2f}, hand-over {reader:.2f}"
    )
    print(f"  driver and hand-over beyond the two copies, ms: {beyond:.2f}")


def spread(values: list[float]) -> str:
    ordered = np.percentile(values, [50, 95, 99, 99.9, 100])
    return ", ".join(
        f"{name} {value:.2f}" for name, value in zip(("p50", "p95", "p99", "p99.9", "max"), ordered, strict=True)
    )


def replug() -> None:
    """Seconds from pulled out to known, and from there again to the first picture; ten times."""
    lost, returned = [], []
    with gige_cameras() as (simulator,), ExitStack() as ended:
        settings = [["Width", 128], ["Height", 64], ["AcquisitionFrameRate", 100.0]]
        given = {"driver": "aravis", "device": simulator.address, "trigger": "free", "frames": "every"}
        camera = SupervisedCamera({**given, "settings": settings})
        ended.callback(camera.end)
        back(camera)
        for _ in range(10):
            camera.read(5)
            simulator.kill()
            began = time.monotonic()
            try:
                read_on(camera)
            except CameraLost:
                lost.append(time.monotonic() - began)
            camera.close()
            simulator.start()
            began = time.monotonic()
            back(camera)
            camera.read(5)
            returned.append(time.monotonic() - began)
    print("\npulled out and put back, ten times, s: median, longest")
    print(f"  until it is known: {statistics.median(lost):.2f}, {max(lost):.2f}")
    print(f"  from there again until its first picture: {statistics.median(returned):.2f}, {max(returned):.2f}")


def copying_ms() -> float:
    """Processor time of one copy between two of sixteen pictures, none of which is in the cache; the median of 200."""
    pictures = np.random.default_rng(1).integers(0, 255, (16, HEIGHT, WIDTH), np.uint8)
    times = []
    for number in range(200):
        began = time.thread_time()
        np.copyto(pictures[number % 16], pictures[(number + 5) % 16])
        times.append(time.thread_time() - began)
    return statistics.median(times) * 1e3


@contextmanager
def buffer_limit(limit_bytes: int) -> Iterator[None]:
    """Sockets may have so large a buffer meanwhile; as it was, where that is not ours to say."""
    before = RMEM_MAX.read_text()
    try:
        RMEM_MAX.write_text(str(limit_bytes))
    except OSError as error:
        print(f"net.core.rmem_max stays {before.strip()}: {error.strerror}")
        yield
        return
    try:
        yield
    finally:
        RMEM_MAX.write_text(before)


if __name__ == "__main__":
    main()
