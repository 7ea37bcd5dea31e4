"""The operator's settings for keeping results."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ByteSize, Field


class OutboxConfig(BaseModel, extra="forbid", frozen=True):
    """How results are kept until the broker has them."""

    folder: Path | None = Field(
        default=None, description="Where results wait; by default `outbox` in the appliance's state folder."
    )
    max_bytes: ByteSize = Field(
        default=ByteSize(2 * 1024**3),
        ge=4 * 1024**2,
        description="Most disk the waiting results may take. A result needs about 1 KB: "
        "2 GiB is 10 parts a second for more than two days without a broker.",
    )
    policy: Literal["stop", "drop_oldest"] = Field(
        default="stop",
        description="When that is reached: `stop` fails every further part as not recorded; `drop_oldest` gives up "
        "the oldest results, and tells subscribers which in a `gap` message.",
    )
    queue_max: int = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Results held in memory while the disk does not take them; more are lost and counted.",
    )
    keep_days: float = Field(
        default=7.0,
        ge=0,
        le=3650,
        description="How long results stay here after the broker has them, for replay and export, as far as max_bytes "
        "has room: those that wait always come first. 0: they go at once.",
    )
