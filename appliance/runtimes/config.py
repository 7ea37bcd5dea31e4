"""The operator's settings for running models."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ByteSize, Field, PositiveFloat, PositiveInt

from appliance.runtimes.model import ENGINES, Engine


class GpuConfig(BaseModel, extra="forbid", frozen=True):
    """Use the GPU. Memory is taken as it is needed and kept until the process ends: TensorFlow gives none back."""

    memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """At most this much of the GPU's memory; None: no limit of our own."""


class RuntimeConfig(BaseModel, extra="forbid", frozen=True):
    """How versions are prepared and run."""

    cache: Path
    """Where prepared versions are kept; may be deleted at any time, and is made again."""
    engines: tuple[Engine, ...] = ENGINES
    """Which engines may be used. The fastest whose answers agree is taken; the SavedModel itself is the last resort
    in any case."""
    threads: PositiveInt = 1
    """Threads for one operation. With 1 a model runs on its caller's thread alone."""
    copies: PositiveInt = 2
    """How many may ask one LiteRT model at once without waiting for each other; each costs the memory of the weights.
    Give every camera one, and one for all the others."""
    gpu: GpuConfig | None = None
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
