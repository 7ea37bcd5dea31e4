"""What can be wrong with a plate, drawn onto a copy of its surface."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from camera.conveyor.plate import Plate, slope_light
from camera.conveyor.texture import Field, Picture

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels of the plate's drawing; the last two are outside."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """One part being spoiled."""

    plate: Plate
    surface: Picture
    """(height, width) copy of the plate's, to draw on."""
    cover: Picture
    blotches: tuple[Field, ...]
    scale: float
    rng: np.random.Generator


def _clip(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> Box:
    height, width = canvas.surface.shape
    return max(int(left), 0), max(int(top), 0), min(int(right) + 1, width), min(int(bottom) + 1, height)


def _spot_on_metal(canvas: Canvas, reach_px: float) -> tuple[float, float]:
    """A random point with metal under it, `reach_px` away from the outline."""
    height, width = canvas.surface.shape
    inset = reach_px + 24 * canvas.scale
    for _ in range(40):
        x = canvas.rng.uniform(inset, max(width - inset, inset + 1))
        y = canvas.rng.uniform(inset, max(height - inset, inset + 1))
        if canvas.plate.cover[min(int(y), height - 1), min(int(x), width - 1)] == 255:
            return x, y
    return width * 0.3, height * 0.5


def _relight(canvas: Canvas, box: Box, change: Field) -> None:
    """Add `change` (grey levels) within the box, on metal only."""
    left, top, right, bottom = box
    metal = canvas.cover[top:bottom, left:right].astype(np.float32) / 255
    patch = canvas.surface[top:bottom, left:right].astype(np.float32) + change * metal
    canvas.surface[top:bottom, left:right] = np.clip(patch, 0, 255).astype(np.uint8)


def scratch(canvas: Canvas, severity: float) -> Box:
    """A thin curved groove: a bright burr beside a dark line."""
    scale, rng = canvas.scale, canvas.rng
    length = scale * rng.uniform(150, 260 + 260 * severity)
    x, y = _spot_on_metal(canvas, 30 * scale)
    steps = 24
    heading = rng.uniform(0, np.pi) + np.cumsum(rng.normal(rng.normal(0, 0.02), 0.035, steps))
    path = np.stack([x + np.cumsum(np.cos(heading)), y + np.cumsum(np.sin(heading))], axis=1)
    path = path[0] + (path - path[0]) * length / steps
    pad = 12 * scale
    (left, top), (right, bottom) = path.min(axis=0) - pad, path.max(axis=0) + pad
    box = _clip(canvas, left, top, right, bottom)
    points = np.rint((path - (box[0], box[1])) * 8).astype(np.int32)
    groove = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    width = max(1, round(scale * (1.6 + 3.2 * severity)))
    for first in range(steps - 1):  # a tool that lifts off: the ends are thinner
        thinner = 1 if first in {0, 1, steps - 3, steps - 2} else 0
        cv2.polylines(
            groove, [points[first : first + 2]], isClosed=False, color=255,
            thickness=max(1, width - thinner), lineType=cv2.LINE_AA, shift=3,
        )  # fmt: skip
    line = cv2.GaussianBlur(groove, (3, 3), 0.7).astype(np.float32) / 255
    shift = max(1, round(1.6 * scale))
    burr = np.roll(line, (shift, shift), (0, 1))
    contrast = 22 + 96 * severity
    _relight(canvas, box, np.asarray(contrast * (0.85 * burr - line), dtype=np.float32))
    return box


def dent(canvas: Canvas, severity: float) -> Box:
    """A knock: one side of the hollow turns from the light, the other to it."""
    scale, rng = canvas.scale, canvas.rng
    radius = scale * rng.uniform(26, 34 + 30 * severity)
    x, y = _spot_on_metal(canvas, radius * 1.3)
    reach = 1.25 * radius
    box = _clip(canvas, x - reach, y - reach, x + reach, y + reach)
    column = np.arange(box[0], box[2], dtype=np.float32)[None, :] - np.float32(x)
    row = np.arange(box[1], box[3], dtype=np.float32)[:, None] - np.float32(y)
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.55, 0.95)
    along = (column * np.cos(turn) + row * np.sin(turn)) / radius
    across = (row * np.cos(turn) - column * np.sin(turn)) / (radius * stretch)
    away = np.hypot(along, across)
    hollow = -0.5 * np.maximum(1 - away**2, 0) ** 1.25 + 0.05 * np.exp(-(((away - 1.04) / 0.07) ** 2))
    smooth = cv2.GaussianBlur(np.asarray(radius * hollow, dtype=np.float32), (0, 0), max(1.4 * scale, 0.4))
    shade = slope_light(np.asarray(smooth, dtype=np.float32), 0.35 + 0.75 * severity)
    _relight(canvas, box, np.asarray((40 + 66 * severity) * shade, dtype=np.float32))
    return box


def missing_hole(canvas: Canvas, severity: float) -> Box:
    """A mounting hole not drilled at all (severe), or begun and not drilled through (faint)."""
    x, y, radius = canvas.plate.holes[int(canvas.rng.integers(len(canvas.plate.holes)))]
    height, width = canvas.surface.shape
    x, y = x + (width - 1) / 2, y + (height - 1) / 2
    box = _clip(canvas, x - radius, y - radius, x + radius, y + radius)
    region = (slice(box[1], box[3]), slice(box[0], box[2]))
    begun, whole = canvas.plate.spotted[region], canvas.plate.undrilled[region]
    filled = min(1.0, max(0.0, severity * 1.5 - 0.3))
    canvas.surface[region] = cv2.addWeighted(begun, 1 - filled, whole, filled, 0)
    canvas.cover[region] = 255
    return box


def stain(canvas: Canvas, severity: float) -> Box:
    """Oil or coolant that dried on the surface."""
    scale, rng = canvas.scale, canvas.rng
    size = max(8, int(scale * rng.uniform(90, 150 + 170 * severity)))
    x, y = _spot_on_metal(canvas, size / 3)
    spot = canvas.blotches[int(rng.integers(len(canvas.blotches)))]
    turn = cv2.getRotationMatrix2D((spot.shape[1] / 2, spot.shape[0] / 2), rng.uniform(0, 360), 1.0)
    turned = cv2.warpAffine(spot, turn, (spot.shape[1], spot.shape[0]))
    grown = cv2.resize(turned, (size, size), interpolation=cv2.INTER_AREA)
    left, top = int(x - size / 2), int(y - size / 2)
    wet_rows, wet_columns = (np.flatnonzero(grown.max(axis=axis) > 0.08) for axis in (1, 0))
    box = _clip(canvas, left + wet_columns[0], top + wet_rows[0], left + wet_columns[-1], top + wet_rows[-1])
    inner = grown[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
    patch = canvas.surface[box[1] : box[3], box[0] : box[2]].astype(np.float32)
    _relight(canvas, box, np.asarray(-(0.12 + 0.55 * severity) * inner * patch, dtype=np.float32))
    return box


DEFECTS: Final[dict[str, Callable[[Canvas, float], Box]]] = {
    "scratch": scratch,
    "dent": dent,
    "missing_hole": missing_hole,
    "stain": stain,
}
"""kind -> how it is drawn, from severity 0 (a person looks twice) to 1 (plain); each says where it drew."""

KINDS: Final[tuple[str, ...]] = ("good", *DEFECTS)
