"""Learns the demo's quality limits, and measures what the gate does to parts that it has never seen.

The demo's --seed draws the plates, belt and lamps, so its limits have to hold for all of them: they are learnt from
the scenes on which the model's limits were set. A real station learns from its own parts: `appliance camera learn`.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import tomllib
from limits import wilson
from parts import LABELS, LIMIT_SEEDS, MEASURING_SEEDS, ROI, Pictures

from appliance.commissioning.config_edit import as_toml
from appliance.commissioning.learnt import learn
from appliance.inspection.measure import Measurer
from appliance.inspection.quality import QualityConfig, QualityGate
from camera.conveyor import Scene
from camera.frame import Frame, PixelFormat

FILE: Final = Path(__file__).parents[2] / "appliance" / "demo" / "quality.toml"
SECTION: Final = ("recipes", "demo", "quality")
_GRID: Final = (9, 12)
_LEARNT_PARTS: Final = 60
_NOISE: Final = 2.4
"""Grey levels, as the virtual sensor has it: it comes after the lens, and is not blurred with the picture."""


def main() -> None:
    """Learn and replace the file, or measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--measure", action="store_true", help="print the table of what is gated; change nothing")
    parser.add_argument("--parts", type=int, default=240, help="good and bad parts of each scene, as they come")
    parser.add_argument("--spoilt", type=int, default=8, help="parts of each scene that are spoilt in every way")
    options = parser.parse_args()
    if options.measure:
        print(_table(options.parts, options.spoilt))
    else:
        FILE.write_text(_learnt(), encoding="utf-8")


def _learnt() -> str:
    with ThreadPoolExecutor(2) as pool:
        measures = [one for scene in pool.map(_measured, LIMIT_SEEDS) for one in scene]
    values = {"width": 1920, "height": 1200, "pixel_format": "Mono8", "region": ROI, **learn(measures).values}
    head = "# Learnt by deploy/demo_model/quality.py from good parts of scenes 2000 to 2014, for `appliance demo`.\n"
    return head + as_toml(SECTION, values)


def _measured(seed: int) -> list:
    scene, measurer = Scene(seed), Measurer(ROI, _GRID)
    return [measurer.measure(scene.part(index, "good")[0], PixelFormat.MONO8) for index in range(_LEARNT_PARTS)]


def _table(parts: int, spoilt: int) -> str:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seed: _gated(seed, parts, spoilt), MEASURING_SEEDS))
    counts: dict[str, Counter[str]] = {}
    for name, reason in (one for scene in found for one in scene):
        counts.setdefault(name, Counter())[reason] += 1
    lines = ["| what it is | pictures | gated | share, 95 % | as |", "|---|---|---|---|---|"]
    for name, reasons in counts.items():
        of = reasons.total()
        gated = of - reasons["-"]
        low, high = wilson(gated, of)
        said = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common() if reason != "-")
        lines.append(f"| {name} | {of} | {gated} | {gated / of:.2%} ({low:.2%} to {high:.2%}) | {said} |")
    return "\n".join(lines)


def _gated(seed: int, parts: int, spoilt: int) -> list[tuple[str, str]]:
    scene, rng = Scene(seed), np.random.default_rng([seed, 21])
    gate = QualityGate(demo_quality())
    found: list[tuple[str, str]] = []
    for index in range(parts):
        picture, truth = scene.part(index)
        found.append((truth["label"], _reason(gate, picture)))
    for index in range(spoilt):
        found += [(f"{kind}, the plainest", _reason(gate, scene.part(index, kind, 1.0)[0])) for kind in LABELS[1:]]
        good = scene.part(index, "good")[0]
        for name, picture in spoilt_ways(good, rng):
            found.append((name, _reason(gate, picture)))
    return found


def demo_quality() -> QualityConfig:
    """The demo's limits."""
    return QualityConfig.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8"))["recipes"]["demo"]["quality"])


def _reason(gate: QualityGate, picture: Pictures) -> str:
    unfit = gate.check(Frame(picture, PixelFormat.MONO8, 0, 1, exposed_ns=0, exposed_utc_ns=0), 0)
    return "-" if unfit is None else unfit.reason.value.removeprefix("FRAME_")


def spoilt_ways(good: Pictures, rng: np.random.Generator) -> Iterator[tuple[str, Pictures]]:
    """A good part's picture, (1200, 1920), spoilt in every way that the gate is for."""
    belt = _belt(good)
    yield "no part", belt
    side = int(rng.choice((-1, 1)))
    for share in (0.25, 0.5, 0.75):
        yield f"{share:.0%} of the part outside", _moved(good, belt, side * int(440 + 1040 * share))
    for by in (100, 150, 200, 300):
        yield f"part {by} pixels from its place", _moved(good, belt, side * by)
    yield "lower part missing, black", _cut(good, int(rng.uniform(0.3, 0.8) * good.shape[0]))
    for sigma in (0.7, 1.0, 1.5, 2.0, 4.0):
        yield f"out of focus, sigma {sigma} pixels", _noisy(cv2.GaussianBlur(good, (0, 0), sigma), rng)
    for length in (9, 21):
        yield f"moved by {length} pixels while exposed", _noisy(cv2.blur(good, (length, 1)), rng)
    for gain in (0.25, 0.5, 0.7, 0.8, 1.2, 1.3, 1.5, 2.0, 3.0):
        yield f"light times {gain}", np.asarray(cv2.convertScaleAbs(good, alpha=gain), dtype=np.uint8)
    yield "lamp on one side only", _ramp(good, 1.5, 0.5)
    yield "turned over, upside down", good[::-1].copy()
    for name, level in (("black", 0), ("white", 255), ("one grey", 128)):
        yield name, np.full_like(good, level)
    yield "dark, noise only", _noisy(np.full_like(good, 4), rng)
    yield "something of 500 pixels before the part", _covered(good, rng)


def _belt(good: Pictures) -> Pictures:
    """The 300 columns beside the part, folded until they fill the picture."""
    return np.asarray(np.pad(good[:, :300], ((0, 0), (0, good.shape[1] - 300)), "symmetric"), dtype=np.uint8)


def _moved(good: Pictures, belt: Pictures, by: int) -> Pictures:
    moved = np.roll(good, by, axis=1)
    beside = slice(0, by) if by > 0 else slice(by, None)
    moved[:, beside] = belt[:, beside]
    return moved


def _cut(good: Pictures, row: int) -> Pictures:
    short = good.copy()
    short[row:] = 0
    return short


def _ramp(good: Pictures, left: float, right: float) -> Pictures:
    return np.asarray(np.clip(good * np.linspace(left, right, good.shape[1]), 0, 255), dtype=np.uint8)


def _covered(good: Pictures, rng: np.random.Generator) -> Pictures:
    covered = good.copy()
    at = (960 + int(rng.integers(-300, 300)), 600 + int(rng.integers(-150, 150)))
    cv2.circle(covered, at, 250, 30, -1)
    return covered


def _noisy(picture: Pictures, rng: np.random.Generator) -> Pictures:
    noise: Callable[..., np.ndarray] = rng.standard_normal
    return np.asarray(np.clip(picture + noise(picture.shape, np.float32) * _NOISE, 0, 255), dtype=np.uint8)


if __name__ == "__main__":
    main()
