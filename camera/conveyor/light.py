"""What lies between the part and the number: the lamp, the lens and the sensor."""

import cv2
import numpy as np

from camera.conveyor.texture import Field, Picture

UNITY = 128
"""The value in an illumination field that leaves a pixel as it is."""


def illumination(shape: tuple[int, int], rng: np.random.Generator) -> Picture:
    """(height, width): one lamp setting and the lens' vignetting; multiply, divide by UNITY."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    centre_x, centre_y = rng.uniform(-0.2, 0.2, 2)
    vignette = 1.06 - 0.30 * ((x - centre_x) ** 2 * 0.62 + (y - centre_y) ** 2 * 0.38)
    lean_x, lean_y = rng.uniform(-0.09, 0.09, 2)
    return np.asarray(np.clip(UNITY * vignette * (1 + lean_x * x + lean_y * y), 0, 255), dtype=np.uint8)


def gloss(shape: tuple[int, int], rng: np.random.Generator) -> Picture:
    """(height, width): the blurred reflection of the lamp that metal shows and rubber does not."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    along = x * np.float32(0.55) + y * np.float32(0.83)
    field = 0.93 + 0.30 * np.exp(-(((along + rng.uniform(-0.05, 0.25)) / 0.30) ** 2))
    field += 0.10 * np.exp(-(((along - rng.uniform(0.45, 0.7)) / 0.12) ** 2))
    return np.asarray(np.clip(UNITY * field, 0, 255), dtype=np.uint8)


def sensor_noise(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> Picture:
    """Noise of the given standard deviation (grey levels) about UNITY: add, subtract UNITY."""
    noise: Field = rng.standard_normal(shape, dtype=np.float32) * np.float32(strength)
    return np.asarray(np.clip(np.rint(noise + UNITY), 0, 255), dtype=np.uint8)


def shadow_of(outline: Picture, scale: float, shrink: int) -> Picture:
    """A soft, `shrink` times smaller map of the light that the part leaves to the belt; 255 is all of it."""
    pad = round(60 * scale)
    padded = cv2.copyMakeBorder(outline, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    small = cv2.resize(padded, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(15 * scale / shrink, 0.4))
    return np.asarray(255 - 0.72 * soft, dtype=np.uint8)
