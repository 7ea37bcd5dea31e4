"""Surfaces made of filtered noise: brushed and turned metal, belt rubber, blotches.

All are float32, about 0 on average; the unit is grey levels where a strength is given.
"""

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


def as_picture(field: npt.NDArray[np.floating]) -> Picture:
    """Cut off at 0 and 255, as a sensor does."""
    return np.asarray(np.clip(field, 0, 255), dtype=np.uint8)


def odd(length: float) -> int:
    """The nearest odd number from 1 up: the only lengths that a filter kernel may have."""
    return max(1, round((length - 1) / 2) * 2 + 1)


def _white(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    return rng.standard_normal(shape, dtype=np.float32)


def _unit(field: Field) -> Field:
    """Scaled to mean 0 and standard deviation 1."""
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), dtype=np.float32)


def clouds(shape: tuple[int, int], size_px: float, rng: np.random.Generator) -> Field:
    """Soft random hills about `size_px` wide; standard deviation 1."""
    step = max(1, int(size_px / 4))
    rough = _white((shape[0] // step + 3, shape[1] // step + 3), rng)
    smooth = cv2.GaussianBlur(rough, (0, 0), max(size_px / step / 2, 0.6))
    grown = cv2.resize(smooth, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return _unit(np.asarray(grown, dtype=np.float32))


def brushed(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Field:
    """Lines along x as an abrasive belt leaves them; standard deviation 1."""
    total = np.zeros(shape, np.float32)
    for length_px, weight in ((420, 1.0), (140, 0.8), (36, 0.5)):
        line = cv2.blur(_white(shape, rng), (odd(length_px * scale), 1), borderType=cv2.BORDER_REFLECT)
        total += weight * _unit(np.asarray(line, dtype=np.float32))
    softened = cv2.GaussianBlur(total, (1, 3), 0.7)
    return _unit(np.asarray(softened, dtype=np.float32))


def turned(radius: int, scale: float, rng: np.random.Generator) -> Field:
    """(2 radius, 2 radius): rings round the middle, as a lathe leaves them; standard deviation 1."""
    rings = brushed((1024, radius), scale, rng).mean(axis=0, keepdims=True)
    wavy = np.repeat(_unit(rings), 1024, axis=0) + 0.35 * brushed((radius, 1024), 3.0, rng).T
    disc = cv2.warpPolar(
        np.ascontiguousarray(wavy, dtype=np.float32),
        (2 * radius, 2 * radius),
        (radius, radius),
        radius,
        cv2.WARP_INVERSE_MAP | cv2.WARP_FILL_OUTLIERS | cv2.INTER_LINEAR,
    )
    return np.asarray(disc, dtype=np.float32)


def woven(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Field:
    """The fabric impression of a rubber belt; within -1..1, before wear and dirt."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    pitch = 2 * np.pi / max(7.0 * scale, 2.5)
    wobble = 0.6 * clouds(shape, 60 * scale, rng)
    twill = np.sin((x + y) * pitch + wobble) * np.cos((x - y) * pitch * 0.5)
    return np.asarray(twill, dtype=np.float32)


def blotch(size: int, rng: np.random.Generator) -> Field:
    """(size, size), 0..1: a spot of liquid that dried, with an uneven outline and a darker rim."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    shape = (size, size)
    outline = np.hypot(x, y) + 0.17 * clouds(shape, size / 3, rng) + 0.05 * clouds(shape, size / 9, rng)
    inside = 1.0 / (1.0 + np.exp((outline - 0.55) * 26.0))
    rim = np.exp(-(((outline - 0.52) / 0.055) ** 2))
    uneven = 0.75 + 0.16 * clouds(shape, size / 5, rng)
    fade = np.clip((0.97 - np.hypot(x, y)) * 8.0, 0.0, 1.0)
    return np.asarray(np.clip(inside * uneven + 0.4 * rim * inside, 0.0, 1.0) * fade, dtype=np.float32)
