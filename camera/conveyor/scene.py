"""A conveyor belt under a camera: one picture per part, drawn from a seed."""

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike

from camera.conveyor.defects import DEFECTS, KINDS, Canvas
from camera.conveyor.light import UNITY, gloss, illumination, sensor_noise, shadow_of
from camera.conveyor.plate import Plate, draw_plate
from camera.conveyor.texture import Picture, as_picture, blotch, brushed, clouds, woven

_PLATES, _LAMPS, _BLOTCHES = 3, 4, 6
_SHRINK = 4
"""The shadow is so soft that it is drawn this many times smaller."""
_Move = npt.NDArray[np.float64]
"""(2, 3) as cv2.warpAffine takes it."""
_BELT_TINT = (1.02, 1.06, 0.86)
_METAL_TINT = (1.0, 0.985, 0.96)
"""Blue, green, red in a colour picture, relative to the grey one."""


class Scene:
    """Machined plates on a belt, as a camera above it sees them.

    The same seed, size and colour give the same pictures, byte for byte, in whatever order they are asked for.
    Threads: part() keeps nothing, so any thread may call it.
    Cost: building it about two seconds and 40 MB at 1920 x 1200; part() some milliseconds (see tests/camera).
    """

    def __init__(
        self,
        seed: int = 0,
        size: tuple[int, int] = (1200, 1920),
        color: Literal["mono", "bgr"] = "mono",
        defect_rate: float = 0.2,
    ) -> None:
        """`size` is (height, width) in pixels, at least (60, 96); `defect_rate` the share of bad parts, 0..1."""
        height, width = size
        if height < 60 or width < 96:
            raise ValueError(f"a scene of {width} x {height} pixels is too small: at least 96 x 60")
        self.seed, self.size, self.color, self.defect_rate = seed, size, color, defect_rate
        self.scale = min(height / 1200, width / 1920)
        rng = np.random.default_rng([seed, 0])
        self._run_px = max(64, int(700 * self.scale))
        self._belt = self._draw_belt(rng)
        self._plates = tuple(draw_plate(self.scale, rng) for _ in range(_PLATES))
        self._shadows = tuple(shadow_of(plate.outline, self.scale, _SHRINK) for plate in self._plates)
        self._lamps = tuple(self._channels(illumination(size, rng)) for _ in range(_LAMPS))
        self._gloss = tuple(gloss(size, rng) for _ in range(_LAMPS))
        self._blotches = tuple(blotch(192, rng) for _ in range(_BLOTCHES))
        noise_shape = (height + 64, width + 64) + ((3,) if color == "bgr" else ())
        self._noise = sensor_noise(noise_shape, 2.4, rng)

    def kind_of(self, index: int) -> str:
        """What part() draws for this part unless it is told otherwise."""
        kind, _ = self._fate(index)
        return kind

    def part(
        self, index: int, kind: str | None = None, severity: float | None = None
    ) -> tuple[Picture, dict[str, Any]]:
        """The picture of part number `index`, and the truth about it.

        The picture is new, (height, width) for mono, (height, width, 3) blue first for bgr, uint8. The truth:
        kind           one of KINDS
        label          what a right model answers: the same word
        severity       0..1, how plain the defect is; 0 for good parts
        position       [x, y] in pixels, the middle of the defect; of the part where it is good
        box            [left, top, width, height] in pixels, round the defect; None where the part is good
        part_position  [x, y] in pixels, the middle of the part
        angle_deg      how the part is turned, counter-clockwise
        The same index with another kind is the same scene but for the defect.
        """
        chance_kind, chance_severity = self._fate(index)
        kind = chance_kind if kind is None else kind
        if kind not in KINDS:
            raise ValueError(f"no part is drawn as {kind!r}; there are {', '.join(KINDS)}")
        severity = 0.0 if kind == "good" else chance_severity if severity is None else severity
        rng = np.random.default_rng([self.seed, 1, index])
        number = int(rng.integers(_PLATES))
        plate = self._plates[number]
        surface, cover, box = self._spoiled(plate, kind, severity, index)

        height, width = self.size
        x = width / 2 + rng.uniform(-1, 1) * 80 * self.scale
        y = height / 2 + rng.uniform(-1, 1) * 38 * self.scale
        angle_deg = float(np.clip(rng.normal(0, 3.5), -11, 11))
        move = _placed(surface.shape, (x, y), angle_deg)

        picture = self._empty_belt(rng)
        self._cast_shadow(picture, self._shadows[number], (x, y), angle_deg)
        self._lay_on(picture, surface, cover, move, rng)
        self._photograph(picture, rng)
        truth = {
            "kind": kind,
            "label": kind,
            "severity": round(severity, 3),
            "angle_deg": round(angle_deg, 2),
        }
        truth["part_position"] = [round(x, 1), round(y, 1)]
        truth |= _where(box, move, (x, y))
        return picture, truth

    def _fate(self, index: int) -> tuple[str, float]:
        rng = np.random.default_rng([self.seed, 2, index])
        is_bad = rng.random() < self.defect_rate
        kind = str(rng.choice(tuple(DEFECTS)))
        return (kind if is_bad else "good"), float(rng.uniform(0.1, 1.0))

    def _spoiled(
        self, plate: Plate, kind: str, severity: float, index: int
    ) -> tuple[Picture, Picture, tuple[int, int, int, int] | None]:
        if kind == "good":
            return plate.surface, plate.cover, None
        rng = np.random.default_rng([self.seed, 3, index])
        canvas = Canvas(plate, plate.surface.copy(), plate.cover.copy(), self._blotches, self.scale, rng)
        box = DEFECTS[kind](canvas, severity)
        return canvas.surface, canvas.cover, box

    def _empty_belt(self, rng: np.random.Generator) -> Picture:
        start = int(rng.integers(self._run_px))
        return self._belt[:, start : start + self.size[1]].copy()

    def _cast_shadow(self, picture: Picture, shadow: Picture, at: tuple[float, float], angle_deg: float) -> None:
        """Darken the belt under and beside the part; the lamp stands above, a little to the left."""
        rows, columns = (-(-length // _SHRINK) for length in self.size)
        beside = ((at[0] + 13 * self.scale) / _SHRINK, (at[1] + 17 * self.scale) / _SHRINK)
        move = _placed(shadow.shape, beside, angle_deg)
        small = cv2.warpAffine(shadow, move, (columns, rows), borderValue=255)
        full = cv2.resize(small, (self.size[1], self.size[0]), interpolation=cv2.INTER_LINEAR)
        cv2.multiply(picture, self._channels(full), dst=picture, scale=1 / 255)

    def _lay_on(
        self,
        picture: Picture,
        surface: Picture,
        cover: Picture,
        move: _Move,
        rng: np.random.Generator,
    ) -> None:
        """Put the turned part on the belt, with the lamp's reflection where it stands."""
        left, top, right, bottom = _bounds(surface.shape, move, self.size)
        here = move.copy()
        here[:, 2] -= (left, top)
        extent = (right - left, bottom - top)
        metal = cv2.warpAffine(surface, here, extent)
        hidden = cv2.warpAffine(cover, here, extent)
        shine = self._gloss[int(rng.integers(_LAMPS))][top:bottom, left:right]
        cv2.multiply(metal, shine, dst=metal, scale=float(rng.uniform(0.95, 1.05)) / UNITY)
        under = picture[top:bottom, left:right]
        cv2.multiply(under, self._channels(cv2.bitwise_not(hidden)), dst=under, scale=1 / 255)
        cv2.add(under, self._tinted(metal, _METAL_TINT), dst=under)

    def _photograph(self, picture: Picture, rng: np.random.Generator) -> None:
        """Lamp, lens and sensor."""
        gain = float(np.clip(rng.normal(1.0, 0.035), 0.88, 1.12))
        lamp = self._lamps[int(rng.integers(_LAMPS))]
        cv2.multiply(picture, lamp, dst=picture, scale=gain / UNITY)
        top, left = rng.integers(64, size=2)
        noise = self._noise[top : top + self.size[0], left : left + self.size[1]]
        cv2.addWeighted(picture, 1, noise, 1, -UNITY, dst=picture)

    def _draw_belt(self, rng: np.random.Generator) -> Picture:
        """The belt between its two rails, longer than the picture is wide."""
        scale, shape = self.scale, (self.size[0], self.size[1] + self._run_px)
        belt = 54 + 7.0 * woven(shape, scale, rng) + 4.0 * clouds(shape, 260 * scale, rng)
        belt += 2.2 * brushed(shape, 2 * scale, rng) + 2.0 * clouds(shape, 5 * scale, rng)
        rail = max(3, int(46 * scale))
        profile = np.interp(np.arange(rail) / rail, (0, 0.12, 0.2, 0.62, 0.72, 1), (96, 168, 150, 138, 84, 14))
        gap = max(2, int(26 * scale))
        fall = np.linspace(0.25, 1, gap, dtype=np.float32)[:, None]
        belt[rail : rail + gap] *= fall
        belt[-rail - gap : -rail] *= fall[::-1]
        metal = profile[:, None].astype(np.float32) + 5 * brushed((rail, shape[1]), scale, rng)
        picture = self._tinted(as_picture(belt), _BELT_TINT)
        picture[:rail] = self._tinted(as_picture(metal), _METAL_TINT)
        picture[-rail:] = self._tinted(as_picture(0.8 * metal[::-1]), _METAL_TINT)
        return picture

    def _channels(self, gray: MatLike) -> MatLike:
        return gray if self.color == "mono" else cv2.merge([gray, gray, gray])

    def _tinted(self, gray: MatLike, tint: tuple[float, float, float]) -> Picture:
        if self.color == "mono":
            return np.asarray(gray, dtype=np.uint8)
        return np.asarray(cv2.merge([cv2.convertScaleAbs(gray, alpha=part) for part in tint]), dtype=np.uint8)


def _placed(shape: tuple[int, ...], at: tuple[float, float], angle_deg: float) -> _Move:
    """Turn a drawing of this shape about its middle, and put the middle where it belongs."""
    middle = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    move = np.asarray(cv2.getRotationMatrix2D(middle, angle_deg, 1.0), dtype=np.float64)
    move[:, 2] += (at[0] - middle[0], at[1] - middle[1])
    return move


def _corners(box: tuple[float, float, float, float], move: _Move) -> npt.NDArray[np.float64]:
    """(4, 2): the corners of a box (left, top, right, bottom) after the move."""
    left, top, right, bottom = box
    points = np.array([[left, top, 1], [right, top, 1], [right, bottom, 1], [left, bottom, 1]], np.float64)
    return points @ move.T


def _bounds(shape: tuple[int, ...], move: _Move, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the moved part within the picture."""
    corners = _corners((0, 0, shape[1], shape[0]), move)
    left, top = np.floor(corners.min(axis=0)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int)
    return max(int(left), 0), max(int(top), 0), min(int(right), size[1]), min(int(bottom), size[0])


def _where(box: tuple[int, int, int, int] | None, move: _Move, part_at: tuple[float, float]) -> dict[str, Any]:
    if box is None:
        return {"position": [round(part_at[0], 1), round(part_at[1], 1)], "box": None}
    corners = _corners(box, move)
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    middle = corners.mean(axis=0)
    return {
        "position": [round(float(middle[0]), 1), round(float(middle[1]), 1)],
        "box": [int(left), int(top), int(right - left), int(bottom - top)],
    }
