"""Pictures of golden samples: cut, reduced and stored as the model sees them, before scale and offset."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from appliance.inspection.errors import FrameUnfit
from appliance.inspection.preprocess import InputSpec, Preprocessor
from appliance.publishing.errors import PublishError
from camera.frame import Frame, PixelFormat

ENDINGS: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_FILE_MAX_BYTES: Final = 200_000_000
Pixels = npt.NDArray[np.uint8]


def read_picture(file: Path) -> Pixels:
    """(height, width) or (height, width, 3) in BGR. Raises: PublishError where it is no picture of 8 bits."""
    try:
        if file.stat().st_size > _FILE_MAX_BYTES:
            raise PublishError(f"{file} is above {_FILE_MAX_BYTES // 1_000_000} MB; store it smaller.")
        found = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except OSError as problem:
        raise PublishError(f"{file} cannot be read: {problem.strerror}.") from problem
    except cv2.error as problem:
        raise PublishError(f"{file} is no picture that can be decoded; store it as PNG.") from problem
    if found is None:
        raise PublishError(f"{file} is no picture that can be decoded; store it as PNG.")
    if found.dtype != np.uint8 or (found.ndim == 3 and found.shape[2] != 3):
        raise PublishError(f"{file} is no picture of 8 bits with one or three channels; store it as such a PNG.")
    return np.asarray(found, dtype=np.uint8)


def read_sample(file: Path, spec: InputSpec, *, is_crop: bool = False, is_frame: bool = False) -> npt.NDArray[Any]:
    """A stored sample as the model takes it: a batch of one; of every row where it is a whole frame.

    Raises: PublishError where it is neither a crop nor a frame, and has another size than the model sees; or where the
    frame does not hold the part.
    """
    pixels = read_picture(file)
    if not (is_crop or is_frame) and pixels.shape[:2] != (spec.height, spec.width):
        height, width = pixels.shape[:2]
        raise PublishError(f"{file} is {width}x{height}; the model sees {spec.width}x{spec.height}.")
    try:
        return Preprocessor(spec if is_frame else spec.uncut()).apply(_frame(pixels)).copy()
    except FrameUnfit as problem:
        raise PublishError(f"{file}: {problem}") from problem


def store_sample(pixels: Pixels, spec: InputSpec, file: Path) -> None:
    """Write the picture as the model sees it, without loss: as it is where it has that size, else cut and reduced.

    Raises: PublishError where the model's region lies outside, or there are several.
    """
    if pixels.shape[:2] != (spec.height, spec.width):
        windows = spec.windows()
        if len(windows) > 1:
            names = ", ".join(str(one.name) for one in windows[:4]) + (", …" if len(windows) > 4 else "")
            raise PublishError(
                f"{file.name} is a whole frame, and the model has several regions or tiles ({names}); "
                f"give pictures of {spec.width}x{spec.height} that are cut already."
            )
        stored = replace(spec, dtype="uint8", scale=1.0, offset=0.0, color="MONO8" if pixels.ndim == 2 else "BGR8")
        try:
            pixels = Preprocessor(stored).apply(_frame(pixels))[0]
        except FrameUnfit as problem:
            raise PublishError(f"{file.name}: {problem}") from problem
    if not cv2.imwrite(str(file), pixels):
        raise PublishError(f"{file} could not be written; is the disk full?")


def _frame(pixels: Pixels) -> Frame:
    kind = PixelFormat.MONO8 if pixels.ndim == 2 else PixelFormat.BGR8
    return Frame(pixels, kind, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)
