"""From the wire to the verdict: where the time goes, with one GigE camera at 60 pictures a second and four at 15.

    python tests/benchmarks/bench_capture.py [--seconds 30] [--fps 60]

The whole appliance (driver processes, line, outbox, broker, subscriber) and Debian's GigE simulator on the same
processors. Every picture is a part. As root it gets a network of its own, and net.core.rmem_max is raised meanwhile.
The same with the virtual camera, which costs no packets, stands beside it.
"""

import argparse
import statistics
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from bench_camera import RAISED, buffer_limit  # noqa: E402
from gige_simulator import gige_cameras  # noqa: E402
from running import Appliance, Mosquitto, Subscriber, until  # noqa: E402

STAGES = ("frame_age_ms", "queue_ms", "inference_ms")
GIGE = """driver = "aravis"
device = "{address}"
trigger = "free"
frames = "every"
packet_size = 8000
settings = [["PixelFormat", "Mono8"], ["Width", 1920], ["Height", 1200], ["AcquisitionFrameRate", {fps}]]
"""
VIRTUAL = 'driver = "virtual"\ntrigger = "timed"\ntakt_s = {takt_s}\nseed = {seed}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--fps", type=float, default=60.0, help="of all cameras together")
    options = parser.parse_args()
    print(f"{'':<28}{'parts':>7}{'judged':>8}{'late':>6}{'age p50':>9}{'p99':>7}{'queue':>7}{'model':>7}{'other':>7}")
    for count in (1, 4):
        rate = options.fps / count
        with tempfile.TemporaryDirectory() as folder:
            cameras = [VIRTUAL.format(takt_s=1 / rate, seed=number) for number in range(count)]
            show(f"{count} virtual at {rate:g}/s", run(Path(folder), cameras, options))
        with tempfile.TemporaryDirectory() as folder, buffer_limit(RAISED), gige_cameras(count) as simulators:
            cameras = [GIGE.format(address=one.address, fps=rate) for one in simulators]
            show(f"{count} GigE at {rate:g}/s", run(Path(folder), cameras, options))


def run(folder: Path, cameras: list[str], options: argparse.Namespace) -> list[dict]:
    """Results of so many seconds, without those of the start."""
    extra = "".join(
        f'[cameras.more{number}]\nrecipe = "part"\ntrigger = "camera"\n[cameras.more{number}.camera]\n{camera}'
        for number, camera in enumerate(cameras[1:])
    )
    with started(folder, camera=cameras[0], extra=extra) as (line, heard):
        until(lambda: sum(bool(one["model"]) for one in heard.results) > 20, "judged parts", 300)
        begin = len(heard.results)
        until(lambda: len(heard.results) - begin > options.fps * options.seconds, "parts", options.seconds * 5)
        results = heard.results[begin:]
        assert line.stop() == 0
    return results


@contextmanager
def started(folder: Path, **changes: str):
    broker = Mosquitto(folder / "broker").start()
    heard = Subscriber(broker.port)
    line = Appliance(
        folder, broker.port, line='trigger = "camera"\ndetect_frozen = false', recipe="deadline_ms = 60", **changes
    )
    try:
        yield line.start(), heard
    finally:
        line.end()
        heard.close()
        broker.stop()


def show(name: str, results: list[dict]) -> None:
    judged = [one["processing_times"] for one in results if one["model"]]
    late = sum(not one["deadline_met"] or one["reason"] == "DEADLINE_EXPIRED" for one in results)
    ages = sorted(one["frame_age_ms"] for one in judged)
    median = {stage: statistics.median(one[stage] for one in judged) for stage in STAGES}
    other = statistics.median(one["frame_age_ms"] - one["queue_ms"] - one["inference_ms"] for one in judged)
    share = median["inference_ms"] / median["frame_age_ms"]
    reasons = Counter(one["reason"] for one in results if not one["model"])
    print(
        f"{name:<28}{len(results):>7}{len(judged):>8}{late:>6}{median['frame_age_ms']:>9.2f}"
        f"{ages[int(len(ages) * 0.99)]:>7.2f}{median['queue_ms']:>7.2f}{median['inference_ms']:>7.2f}{other:>7.2f}"
        f"  model {share:.0%}  {dict(reasons) or ''}",
        flush=True,
    )


if __name__ == "__main__":
    main()
