"""What it costs to bring a frame of 1920x1200 to a model: one core, the way of each recipe.

    python tests/benchmarks/bench_preprocess.py [--frames 60]

Prints one table: the least, the median and the 99th percentile, in milliseconds of one core. What else the computer
does is not counted, except for the caches that it spoils.
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from appliance.inspection.decide import decide, judge_part
from appliance.inspection.limits import Limits
from appliance.inspection.preprocess import InputSpec, Preprocessor
from camera.frame import Frame, PixelFormat

MODEL = {"width": 224, "height": 224, "dtype": "uint8", "resize": "area"}
SLANTED = {"corners": [[310, 100], [1600, 130], [1580, 1090], [330, 1110]], "width": 1300, "height": 1000}
SCREWS = {
    name: [x, y, 300, 300] for name, x, y in (("a", 100, 100), ("b", 1500, 100), ("c", 100, 800), ("d", 1500, 800))
}
WAYS = {
    "whole frame, linear": {"resize": "linear"},
    "whole frame, area": {},
    "roi 1300x1000, area": {"roi": [310, 100, 1300, 1000]},
    "roi 1300x1000, area, half (650x500)": {"roi": [310, 100, 1300, 1000], "width": 650, "height": 500},
    "roi, float32 (pixel * scale + offset)": {
        "roi": [310, 100, 1300, 1000], "dtype": "float32", "scale": 1 / 127.5, "offset": -1.0,
    },
    "perspective to 1300x1000, area": {"perspective": SLANTED},
    "4 regions of 300x300, area": {"regions": SCREWS},
    "12 tiles of 360x360 in 1300x1000, area": {
        "roi": [310, 100, 1300, 1000], "tiles": {"width": 360, "height": 360, "overlap": 40},
    },
    "12 tiles of 360x360, perspective": {
        "perspective": SLANTED, "tiles": {"width": 360, "height": 360, "overlap": 40},
    },
    "42 tiles of 224x224, as they are": {
        "roi": [310, 100, 1300, 1000], "tiles": {"width": 224, "height": 224, "overlap": 40},
    },
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60)
    run(parser.parse_args().frames)


@pytest.mark.benchmark
def test_a_frame_is_brought_to_the_model_in_a_few_milliseconds():
    took = run(30)
    assert took["whole frame, area", "MONO8"][0] < 10
    assert took["perspective to 1300x1000, area", "MONO8"][0] < 20
    assert took["12 tiles of 360x360 in 1300x1000, area", "BGR8"][0] < 40


def run(frames: int) -> dict[tuple[str, str], np.ndarray]:
    """Least, median, 99th percentile by way and colour, milliseconds."""
    cv2.setNumThreads(1)  # as the line does
    rng = np.random.default_rng(0)
    shots = {
        "MONO8": Frame(rng.integers(0, 256, (1200, 1920), np.uint8), PixelFormat.MONO8, 0, 1, 0, 0),
        "BGR8": Frame(rng.integers(0, 256, (1200, 1920, 3), np.uint8), PixelFormat.BGR8, 0, 1, 0, 0),
    }
    took = {}
    print("| 1920x1200, ms of one core: min / p50 / p99 | rows | mono | BGR to RGB |\n|---|---|---|---|")
    for name, changes in WAYS.items():
        for color, shot in shots.items():
            wanted = InputSpec.from_metadata({**MODEL, "color": "RGB8" if color == "BGR8" else color, **changes})
            fitted = Preprocessor(wanted)
            took[name, color] = measured(lambda fitted=fitted, shot=shot: fitted.apply(shot), frames)
        shown = " | ".join(" / ".join(f"{one:.2f}" for one in took[name, color]) for color in shots)
        print(f"| {name} | {len(fitted.windows)} | {shown} |")
    for rows in (4, 12, 200):
        print(f"decision of {rows} rows: {measured(judging(rows), frames)[1] * 1e3:.0f} µs")
    return took


def judging(rows: int):
    labels, limits = ("good", "scratch", "dent"), Limits({"scratch": 0.5, "dent": 0.5}, "good", 0.7)
    names = [f"r{row}c1" for row in range(rows)]
    return lambda: judge_part([(name, None, decide((0.9, 0.05, 0.05), labels, limits, name)) for name in names])


def measured(what, times: int) -> np.ndarray:
    what()
    took_ms = []
    for _ in range(times):
        began = time.thread_time()
        what()
        took_ms.append((time.thread_time() - began) * 1e3)
    return np.percentile(took_ms, [0, 50, 99])


if __name__ == "__main__":
    main()
