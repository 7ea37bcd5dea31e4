"""A JPEG or PNG file as the body of `:predict`: decoded here, so that a client needs no JSON for pixels.

A model that takes strings gets the file as it is. One that takes pixels gets RGB, 0 to 255, resized to its input,
unless its inspection.json says how its input is made.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from appliance.api.rest.tensors import invalid
from appliance.inspection.errors import FrameUnfit, RecipeError
from appliance.inspection.preprocess import InputSpec, Preprocessor
from appliance.runtimes.model import STRING_DTYPE, Array, Signature, TensorSpec, shown
from camera.frame import Frame, PixelFormat
from camera.pictures.decoding import Limits, decode
from camera.pictures.header import UnreadablePicture

_TYPES: Final = ("image/jpeg", "image/png")
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_COLORS: Final = {1: "MONO8", 3: "RGB8"}
_DTYPES: Final = {
    "uint8": "uint8",
    **dict.fromkeys(("float16", "float32", "float64", "int16", "int32", "int64", "uint16"), "float32"),
}
"""What the picture is made as; from there to the input's own type nothing is lost."""


def is_picture(content_type: str, body: bytes) -> bool:
    """Both have to say so: TensorFlow Serving ignores the Content-Type, and so do its clients."""
    return content_type.lower().startswith(_TYPES) and body.startswith(_MAGIC)


def inputs_of_picture(body: bytes, signature: Signature, metadata: Mapping[str, Any], max_px: int) -> dict[str, Array]:
    """A batch of one. Raises: RequestError where the signature takes no picture, or the picture cannot be read."""
    if len(signature.inputs) != 1:
        raise invalid(
            f"Signature {signature.key!r} takes {len(signature.inputs)} inputs, and a picture is one; send JSON."
        )
    alias, spec = next(iter(signature.inputs.items()))
    if spec.dtype == STRING_DTYPE:
        return {alias: np.array([body], object)}
    return {alias: _pixels(body, spec, metadata, max_px)}


def _pixels(body: bytes, spec: TensorSpec, metadata: Mapping[str, Any], max_px: int) -> Array:
    wanted = _said(metadata.get("input"), spec)
    pixel_format = PixelFormat.MONO8 if wanted.color == "MONO8" else PixelFormat.BGR8
    try:
        pixels, pixel_format = decode(body, Limits(picture_max_px=max_px), pixel_format)
    except UnreadablePicture as error:
        raise invalid(f"The picture cannot be read: {error.detail}.") from error
    if pixels.shape[:2] == (wanted.height, wanted.width):
        wanted = wanted.uncut()  # cut to size already
    if 0 in {wanted.width, wanted.height}:
        wanted = replace(wanted, width=wanted.width or pixels.shape[1], height=wanted.height or pixels.shape[0])
    try:
        batch = Preprocessor(wanted).apply(Frame(pixels, pixel_format, 0, 0, 0, 0))
    except (RecipeError, FrameUnfit) as error:
        raise invalid(f"The picture does not fit the model: {error}") from error
    batch = batch.astype(spec.dtype, copy=False)
    return batch[0] if spec.shape is not None and len(spec.shape) == 3 else batch


def _said(said: Mapping[str, Any] | None, spec: TensorSpec) -> InputSpec:
    """How the model wants its picture: its own words, or what its input's shape tells; a size of 0 is any."""
    if said is not None:
        try:
            return InputSpec.from_metadata(said)
        except RecipeError as error:
            raise invalid(
                f"The model's inspection.json does not say how a picture becomes its input: {error}"
            ) from error
    shape = spec.shape[-3:] if spec.shape is not None and len(spec.shape) in {3, 4} else ()
    if not shape or shape[2] not in _COLORS or spec.dtype not in _DTYPES:
        raise invalid(
            f"Input {spec.alias!r} is {spec.dtype} of shape {shown(spec.shape)}, and no picture: that is "
            "[height, width, 1 or 3] or a batch of it, of a type that holds 0 to 255; send JSON."
        )
    height, width, channels = shape
    return InputSpec(width or 0, height or 0, _COLORS[channels or 0], _DTYPES[spec.dtype], "area")
