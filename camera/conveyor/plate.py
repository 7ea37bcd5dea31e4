"""The good part: a bearing plate with a turned boss, a bore, four sunk holes and an engraved number."""

from dataclasses import dataclass

import cv2
import numpy as np

from camera.conveyor.texture import Field, Picture, as_picture, brushed, clouds, turned

_LENGTH, _WIDTH, _CORNER = 1040, 730, 92
"""Pixels in a frame 1920 x 1200; everything here is multiplied by the scene's scale."""
_BOSS, _BORE, _HOLE, _SINK = 236, 108, 35, 54
_HOLE_AT = ((-408, -253), (408, -253), (408, 253), (-408, 253))
_MARGIN = 14
_LIGHT = (-0.62, -0.78)
"""Where the light comes from, in the plane of the picture: above, a little from the left."""


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """One plate, drawn flat and straight, middle in the middle."""

    surface: Picture
    """(height, width), what the metal reflects; 0 outside and in the holes."""
    cover: Picture
    """(height, width), 255 where metal hides the belt, 0 outside and in the holes."""
    undrilled: Picture
    """`surface` as it was before the four mounting holes were drilled."""
    spotted: Picture
    """`surface` with the holes begun and not drilled through."""
    outline: Picture
    """255 within the outline; the holes are not cut out of it (it casts the shadow)."""
    holes: tuple[tuple[float, float, float], ...]
    """x, y and radius of each mounting hole with its countersink, from the plate's middle."""
    half_size: tuple[float, float]
    """Half of length and width."""


def slope_light(height: Field, strength: float) -> Field:
    """How much brighter a surface of this height (pixels) is where it leans to the light; about -1..1."""
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    lean = -(dx * _LIGHT[0] + dy * _LIGHT[1]) * strength
    return np.asarray(np.tanh(lean), dtype=np.float32)


class _Drawing:
    """Distances and edges on the plate's own grid, smoothed over one pixel."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        half_w, half_h = _LENGTH * scale / 2, _WIDTH * scale / 2
        self.half_size = (half_w, half_h)
        columns, rows = (2 * int(half + _MARGIN * scale + 2) for half in (half_w, half_h))
        self.shape = (rows, columns)
        self.middle = ((columns - 1) / 2, (rows - 1) / 2)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        self.x, self.y = x - self.middle[0], y - self.middle[1]

    def inside_plate_px(self) -> Field:
        """Distance to the outline, positive within."""
        corner = _CORNER * self.scale
        qx = np.abs(self.x) - (self.half_size[0] - corner)
        qy = np.abs(self.y) - (self.half_size[1] - corner)
        outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0)
        return np.asarray(corner - outside, dtype=np.float32)

    def radius_px(self, at: tuple[float, float]) -> Field:
        """Distance from a point given in plate units."""
        return np.asarray(np.hypot(self.x - at[0] * self.scale, self.y - at[1] * self.scale), dtype=np.float32)


def _step(distance_px: Field, width_px: float = 1.0) -> Field:
    """0 to 1 across an edge that is `width_px` wide; 1 where the distance is positive."""
    return np.asarray(np.clip(distance_px / width_px + 0.5, 0.0, 1.0), dtype=np.float32)


def _engraving(drawing: _Drawing, serial: int) -> Field:
    """0..1: the part number and a dot code, cut into the surface."""
    ink = np.zeros(drawing.shape, np.uint8)
    scale, (mx, my) = drawing.scale, drawing.middle
    thick = max(1, round(4 * scale))
    place = (round(mx - 150 * scale), round(my + 315 * scale))
    cv2.putText(ink, f"BX-204  {serial:04d}", place, cv2.FONT_HERSHEY_SIMPLEX, 1.25 * scale, 255, thick, cv2.LINE_AA)
    code = np.random.default_rng(serial).random((10, 10)) < 0.5
    code[:, 0] = code[-1, :] = True
    pitch = 7 * scale
    for row, column in np.argwhere(code):
        x, y = mx + 330 * scale + column * pitch, my - 35 * scale + row * pitch
        cv2.circle(ink, (round(x), round(y)), max(1, round(2.6 * scale)), 255, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(ink, (3, 3), 0.6) / 255, dtype=np.float32)


def _bow_tie(drawing: _Drawing, lean: float) -> Field:
    """The two bright fans that a turned face shows under one lamp."""
    angle = np.arctan2(drawing.y, drawing.x) - lean
    return np.asarray(np.exp(-((np.sin(angle) / 0.34) ** 2)) - 0.28, dtype=np.float32)


def draw_plate(scale: float, rng: np.random.Generator) -> Plate:
    """Draw one plate; no two are machined alike. Takes some tenths of a second at full size."""
    drawing = _Drawing(scale)
    inside = drawing.inside_plate_px()
    boss, bore = drawing.radius_px((0, 0)), _BORE * scale
    boss_edge = _step(_BOSS * scale - boss, 2.0)

    height = np.minimum(inside, 11 * scale) * 0.9 + 12 * scale * _step(_BOSS * scale - boss, 14 * scale)
    height -= np.clip(bore + 12 * scale - boss, 0, 12 * scale) * 1.0
    height -= 2.6 * scale * _engraving(drawing, int(rng.integers(1000, 9999)))
    groove = np.exp(-(((boss - (_BOSS - 44) * scale) / (4.5 * scale)) ** 2))
    height -= 6.0 * scale * groove

    base = 148 + 7.5 * brushed(drawing.shape, scale, rng) + 5.0 * clouds(drawing.shape, 330 * scale, rng)
    radius = int(_BOSS * scale) + 3
    rings = np.zeros(drawing.shape, np.float32)
    top, left = (int(m + 0.5) - radius for m in (drawing.middle[1], drawing.middle[0]))
    rings[top : top + 2 * radius, left : left + 2 * radius] = turned(radius, scale, rng)
    lean = float(rng.uniform(-1.15, -0.75))
    face = 142 + 6.0 * rings + 64 * _bow_tie(drawing, lean)
    base += (face - base) * boss_edge

    undrilled = _lit(base, height)
    cover = _step(inside) * _step(boss - bore)
    spotted_height, pit = height.copy(), np.zeros(drawing.shape, np.float32)
    drilled = cover.copy()
    for at in _HOLE_AT:
        distance = drawing.radius_px(at)
        spotted_height -= np.clip(_SINK * scale - distance, 0, (_SINK - _HOLE) * scale) * 0.85
        pit += _step(_HOLE * scale - distance, 1.5) * (0.8 + 0.2 * np.sin(drawing.y / (9 * scale)))
        drilled *= _step(distance - _HOLE * scale)
    spotted = _lit(base, spotted_height) * (1 - np.clip(pit, 0, 1) * 0.72)
    walls = _bore_walls(drawing, boss, bore)

    return Plate(
        surface=as_picture(spotted * drilled + walls),
        cover=as_picture(np.maximum(drilled, walls / 255) * 255),
        undrilled=as_picture(undrilled * cover + walls),
        spotted=as_picture(spotted * cover + walls),
        outline=as_picture(_step(inside) * 255),
        holes=tuple((x * scale, y * scale, (_SINK + 4) * scale) for x, y in _HOLE_AT),
        half_size=drawing.half_size,
    )


def _lit(base: Field, height: Field) -> Field:
    shade = slope_light(np.asarray(height, dtype=np.float32), 1.5)
    return np.asarray(base * (1 + 0.5 * shade) + 26 * np.maximum(shade, 0), dtype=np.float32)


def _bore_walls(drawing: _Drawing, boss: Field, bore: float) -> Field:
    """The far wall of the bore, which the camera sees a little of and the lamp lights."""
    lower = np.clip(drawing.y / bore, 0, 1) ** 1.5
    ring = _step(bore - boss) * _step(boss - (bore - 16 * drawing.scale * lower), 3.0)
    return np.asarray(ring * (46 + 120 * lower), dtype=np.float32)
