"""Reads the list of samples, from a package that may hold anything."""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError, model_validator

from appliance.golden.errors import GoldenMissing
from appliance.golden.pictures import FILE_MAX_BYTES, content, picture
from appliance.inspection.errors import FrameUnfit
from appliance.inspection.preprocess import InputSpec, Preprocessor
from appliance.runtimes.model import DEFAULT_SIGNATURE, Model, TensorSpec, fits, shown

GOLDEN: Final = Path("assets.extra") / "golden"
_HEADERS: Final = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
LIST: Final = "samples.json"
_LIST_MAX_BYTES: Final = 4 << 20
_SAMPLES_MAX: Final = 256


class _Sample(BaseModel, extra="ignore", frozen=True):
    file: Annotated[str, Field(pattern=r"^[^/\\\x00]{1,255}$")]
    scores: Annotated[list[float] | list[list[float]], Field(min_length=1, max_length=10_000)]
    label: str | None = None
    tolerance: Annotated[float, Field(gt=0, le=0.5)] = 0.001
    crop: bool = False
    frame: bool = False

    @model_validator(mode="after")
    def _is_one_of_them(self) -> "_Sample":
        if self.crop and self.frame:
            raise ValueError("it is a crop or a frame, and cannot be both")
        return self


class _Listed(BaseModel, extra="ignore", frozen=True):
    input: str
    output: str
    signature: str = DEFAULT_SIGNATURE
    samples: Annotated[list[_Sample], Field(min_length=1, max_length=_SAMPLES_MAX)]


@dataclass(frozen=True, slots=True)
class Golden:
    """One sample, read only when its turn comes."""

    name: str
    label: str | None
    expected: npt.NDArray[np.float64]
    """(rows, labels)."""
    tolerance: float
    is_crop: bool
    is_frame: bool


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A package's samples."""

    folder: Path
    input: TensorSpec
    output: str
    signature: str
    samples: tuple[Golden, ...]

    def inputs(self, sample: Golden, spec: InputSpec | None) -> npt.NDArray[Any]:
        """What the model is given. Raises: GoldenMissing where the file is no such sample."""
        file = self.folder / sample.name
        try:
            array = _array(file) if file.suffix == ".npy" else _pixels(file, spec, sample)
        except (OSError, ValueError, FrameUnfit) as error:
            raise GoldenMissing(f"The golden sample {sample.name} cannot be used: {error}.") from error
        wanted = self.input.shape or array.shape
        # A model that takes one picture at a time is given the rows one after the other.
        if array.dtype != self.input.dtype or not (fits(wanted, array.shape) or fits(wanted, (1, *array.shape[1:]))):
            raise GoldenMissing(
                f"The golden sample {sample.name} is {array.dtype} {list(array.shape)}; "
                f"the model's input {self.input.alias!r} takes {self.input.dtype} {shown(self.input.shape)}."
            )
        return array


def read(package: Path, model: Model) -> GoldenSet:
    """The list, checked against the model's signature. Raises: GoldenMissing."""
    folder = package / GOLDEN
    try:
        listed = _Listed.model_validate_json(content(folder / LIST, _LIST_MAX_BYTES))
    except FileNotFoundError as error:
        raise GoldenMissing(f"The package brings no golden samples ({GOLDEN / LIST}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise GoldenMissing(f"{GOLDEN / LIST} cannot be read: {place}: {first['msg']}.") from error
    except (OSError, ValueError) as error:
        raise GoldenMissing(f"{GOLDEN / LIST} cannot be read: {error}.") from error
    signature = model.signatures.get(listed.signature)
    if signature is None or listed.input not in signature.inputs or listed.output not in signature.outputs:
        raise GoldenMissing(
            f"{GOLDEN / LIST} asks for {listed.input!r} -> {listed.output!r} of the signature {listed.signature!r}, "
            "which the model does not have."
        )
    samples = tuple(_golden(one) for one in listed.samples)
    return GoldenSet(folder, signature.inputs[listed.input], listed.output, listed.signature, samples)


def _golden(listed: _Sample) -> Golden:
    try:
        expected = np.atleast_2d(np.asarray(listed.scores, np.float64))
    except ValueError as error:
        raise GoldenMissing(f"The golden sample {listed.file} has regions with different numbers of scores.") from error
    if not np.isfinite(expected).all():
        raise GoldenMissing(f"The golden sample {listed.file} expects scores that are no numbers.")
    return Golden(listed.file, listed.label, expected, listed.tolerance, listed.crop, listed.frame)


def _array(file: Path) -> npt.NDArray[Any]:
    """Raises: OSError, ValueError."""
    stream = io.BytesIO(content(file, FILE_MAX_BYTES))
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"it is of version {version[0]}.{version[1]} of the format; save it as 1.0")
    shape, _, dtype = _HEADERS[version](stream)
    if math.prod(shape) * dtype.itemsize > FILE_MAX_BYTES:
        raise ValueError(f"it says that it has the shape {list(shape)}, which its file cannot hold")
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _pixels(file: Path, spec: InputSpec | None, sample: Golden) -> npt.NDArray[Any]:
    """Raises: OSError, ValueError, FrameUnfit."""
    if spec is None:
        raise ValueError("nothing says what the model sees; complete the package's assets.extra/inspection.json")
    frame = picture(file)
    if sample.is_frame:
        return Preprocessor(spec).apply(frame)
    height, width = frame.shape
    if not sample.is_crop and (height, width) != (spec.height, spec.width):
        raise ValueError(
            f"it has {width}x{height} pixels, and the model sees {spec.width}x{spec.height}; "
            'where it is a whole frame, say "frame": true, and where it is cut out of one, "crop": true'
        )
    return Preprocessor(spec.uncut()).apply(frame)
