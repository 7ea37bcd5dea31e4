"""A picture file becomes what the model takes: its bytes where it takes strings, its pixels otherwise."""

from pathlib import Path

import numpy as np

from appliance.client.errors import ClientError
from appliance.client.signatures import Shown, dtype_of, takes
from appliance.runtimes.model import STRING_DTYPE, Array, TensorSpec, shown


def picture_input(signature: Shown, named: str | None) -> TensorSpec:
    """The input that a picture is for: the one named, or the only one. Raises: ClientError."""
    if named is None and len(signature.inputs) != 1:
        raise ClientError(f"Say which input the picture is for, as --image NAME=FILE: {takes(signature)}.")
    spec = signature.inputs.get(named) if named else next(iter(signature.inputs.values()))
    if spec is None:
        raise ClientError(f"Signature {signature.key} has no input {named}; it takes {takes(signature)}.")
    return spec


def read(file: Path) -> bytes:
    """Raises: ClientError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}") from error


def encoded(spec: TensorSpec, content: bytes) -> Array:
    """For a graph that decodes by itself: one string, in as many dimensions as it wants."""
    made = np.empty(() if spec.shape == () else (1,) * (1 if spec.shape is None else len(spec.shape)), object)
    made[...] = content
    return made


def decoded(spec: TensorSpec, file: Path, *, resize: bool) -> Array:
    """Pixels as [1, height, width, channels], or without what the model does not want; colours are red, green, blue.

    A uint8 model gets 0..255, a floating-point one the same numbers as floats: scaling is the model's own affair.
    Raises: ClientError.
    """
    if spec.dtype == STRING_DTYPE:
        return encoded(spec, read(file))
    if spec.dtype not in {"uint8", "float32", "float16", "float64"} or spec.shape is None or len(spec.shape) < 2:
        raise ClientError(f"{_takes(spec)}, and that is no picture; give it by --input.")
    height, width, channels = _geometry(spec)
    pixels = _pixels(file, channels)
    if (height or pixels.shape[0], width or pixels.shape[1]) != pixels.shape[:2]:
        if not resize:
            raise ClientError(
                f"{file} has {pixels.shape[1]}x{pixels.shape[0]} pixels, the model takes {width or 'any'}x"
                f"{height or 'any'}; cut it as the recipe does, or squeeze it with --resize."
            )
        pixels = _resized(pixels, height or pixels.shape[0], width or pixels.shape[1])
    return np.ascontiguousarray(pixels.reshape(_wanted(spec.shape, pixels.shape)).astype(spec.dtype))


def _wanted(shape: tuple[int | None, ...], pixels: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 4:
        return (1, *pixels)
    if len(shape) == 2:
        return pixels[:2]
    return pixels if shape[-1] in {1, 3} else (1, *pixels[:2])


def _geometry(spec: TensorSpec) -> tuple[int | None, int | None, int]:
    """Height, width, channels of [N, H, W, C], [H, W, C], [N, H, W] or [H, W]."""
    assert spec.shape is not None
    sizes = spec.shape
    if len(sizes) == 4 or (len(sizes) == 3 and sizes[-1] in {1, 3}):
        height, width, channels = sizes[-3:]
    elif len(sizes) in {2, 3}:
        height, width, channels = sizes[-2], sizes[-1], 1
    else:
        raise ClientError(f"{_takes(spec)}, and that is no picture; give it by --input.")
    if channels not in {1, 3, None}:
        raise ClientError(f"{_takes(spec)}; a picture has 1 or 3 channels.")
    return height, width, channels or 3


def _pixels(file: Path, channels: int) -> Array:
    import cv2

    how = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    content = np.frombuffer(read(file), np.uint8)
    picture = cv2.imdecode(content, how) if content.size else None
    if picture is None:
        raise ClientError(f"{file} is no picture that can be read here; JPEG and PNG can.")
    colours = picture[..., np.newaxis] if channels == 1 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return np.asarray(colours)


def _resized(pixels: Array, height: int, width: int) -> Array:
    import cv2

    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)).reshape(
        height, width, pixels.shape[2]
    )


def _takes(spec: TensorSpec) -> str:
    return f"The model takes {spec.alias} as {dtype_of(spec)} {shown(spec.shape)}"
