"""The operator's settings for running models."""

from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    Field,
    NonNegativeInt,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
)

from appliance.runtimes.model import ENGINES, Engine
from appliance.runtimes.wire import fields


class GpuConfig(BaseModel, extra="forbid", frozen=True):
    """Use the GPU. Memory is taken as it is needed and kept until the process ends: TensorFlow gives none back."""

    memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """At most this much of the GPU's memory, for all models of the process together: TensorFlow has one pool of memory
    for a GPU, made when the first model is loaded, and what a later one asks for is not heard. None: no limit."""
    memory_budget: ByteSize | None = None
    """What one version is counted with against the GPU's memory: where it does not fit beside the others it is not
    loaded. Counted only: TensorFlow keeps no model within a share of its own."""


def _bytes_of(given: object) -> object:
    return bytes.fromhex(given) if isinstance(given, str) else given


def _message(given: bytes) -> bytes:
    for _ in fields(memoryview(given)):
        pass
    return given


Message = Annotated[
    bytes, BeforeValidator(_bytes_of), AfterValidator(_message), PlainSerializer(bytes.hex, when_used="json")
]
"""A serialized protocol buffer message; in JSON its bytes in hexadecimal."""


class SessionConfig(BaseModel, extra="forbid", frozen=True):
    """How TensorFlow's sessions are set up, where it is not as the line needs it.

    TensorFlow shares its threads between all sessions of a process: what the first model asked for holds for the rest.
    """

    base: Message = b""
    """A ConfigProto, such as from --tensorflow_session_config_file. What it says goes before our defaults, and what is
    said here and in GpuConfig before it."""
    intra_op: NonNegativeInt | None = None
    """Threads for one operation; 0: as many as TensorFlow likes. None: as `base` says, or RuntimeConfig.threads."""
    inter_op: NonNegativeInt | None = None
    """Threads on which operations of one request run beside each other; 0: as many as TensorFlow likes. None, unless
    `base` says otherwise: a request runs on its caller's thread alone, which costs the least for each request."""


class RuntimeConfig(BaseModel, extra="forbid", frozen=True):
    """How versions are prepared and run."""

    cache: Path
    """Where prepared versions are kept; may be deleted at any time, and is made again."""
    engines: tuple[Engine, ...] = ENGINES
    """Which engines may be used. The fastest whose answers agree is taken; where none of them can serve, the SavedModel
    itself does."""
    threads: PositiveInt = 1
    """Threads for one operation. With 1 a model runs on its caller's thread alone."""
    copies: PositiveInt = 2
    """How many may ask one LiteRT model at once without waiting for each other; each costs the memory of the weights.
    Give every camera one, and one for all the others."""
    gpu: GpuConfig | None = None
    session: SessionConfig = SessionConfig()
    tags: Annotated[tuple[str, ...], Field(min_length=1)] = ("serve",)
    """Which graph of a SavedModel is served: the one with exactly these tags."""
    prefer_tflite_model: bool = False
    """Where a version has a `model.tflite`, serve that, with LiteRT, and not its saved_model.pb."""
    warm_up: bool = True
    """Run a version before it serves: what its `assets.extra/tf_serving_warmup_requests` says, else made-up inputs."""
    must_run: bool = True
    """Refuse a version that fails on made-up inputs. False: it serves all the same, as with tensorflow_model_server."""
    tolerance_absolute: PositiveFloat = 1e-4
    """Two engines' outputs agree when they differ by at most this much..."""
    tolerance_relative: PositiveFloat = 1e-4
    """...plus this much of the original's value."""
    prepare_timeout_s: PositiveFloat = 600.0
    prepare_memory_max: ByteSize = ByteSize(8 * 1024**3)
    """Of address space that preparing may fill with data, beside what the libraries take."""
    warm_up_max_s: PositiveFloat = 60.0
    cache_max: ByteSize = ByteSize(4 * 1024**3)
    """Prepared versions beyond this are removed, the longest unused first; the one in use stays."""

    @property
    def may_have_workers(self) -> bool:
        """Whether an engine may start threads of its own."""
        asked = (self.threads, self.session.intra_op, self.session.inter_op)
        return bool(self.session.base) or any(threads not in {None, 1} for threads in asked)
