"""How far programs that read the results have come, each by its own word: written by the gateway, read by both sides.

    {"consumers": {NAME: {CAMERA: {"stream": ID, "sequence": N}}}, "unconfirmed": ROW | null}

`unconfirmed`: the first row that some consumer has not confirmed; the writer deletes none from there on for its age.
null: there are no consumers. 0: one of them has never been heard of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.outbox import smallfile
from appliance.outbox.errors import DiskFailed

FILE_NAME: Final = "consumers.json"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One consumer has everything of one camera up to this number, and all streams before this one."""

    stream: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Consumers:
    """What the gateway wrote last. Immutable."""

    confirmed: Mapping[str, Mapping[str, Confirmed]] = field(default_factory=dict)
    """Name of a consumer -> camera -> how far. Who was never heard of is there with nothing."""
    unconfirmed: int | None = None
    """Rows from this one on are kept whatever their age; None: age alone decides."""


@dataclass(frozen=True, slots=True)
class ConsumerLag:
    """How far one consumer is behind in one camera's results; for health, metrics and people. Immutable."""

    consumer: str
    camera: str
    results: int
    """Recorded and not confirmed; what was deleted for room meanwhile is not among them."""
    behind_s: float
    """How long the oldest of these has waited for it; 0 where there are none."""
    is_late: bool
    """For longer than `mqtt.consumer_late_s`: CONSUMER_BEHIND says it."""
    confirmed: Confirmed | None
    """None: never heard of."""


def read(folder: Path) -> Consumers:
    """What was written last; no consumers where there is no such file. Raises OSError."""
    content = smallfile.read(folder / FILE_NAME)
    if content is None:
        return Consumers()
    found = {
        name: {camera: Confirmed(one["stream"], one["sequence"]) for camera, one in cameras.items()}
        for name, cameras in content.get("consumers", {}).items()
    }
    return Consumers(found, content.get("unconfirmed"))


def changed_ns(folder: Path) -> int | None:
    """When the file was written last, to tell whether it has to be read again; None without one. Raises OSError."""
    try:
        return (folder / FILE_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return None


def write(folder: Path, consumers: Consumers) -> None:
    """Put this in its place; milliseconds. Raises DiskFailed; the caller may go on."""
    named = {
        name: {camera: {"stream": one.stream, "sequence": one.sequence} for camera, one in cameras.items()}
        for name, cameras in consumers.confirmed.items()
    }
    try:
        smallfile.replace(folder / FILE_NAME, {"consumers": named, "unconfirmed": consumers.unconfirmed})
    except OSError as error:
        msg = (
            f"How far the consumers have come cannot be written to {folder} ({error.strerror}): "
            "what they have not confirmed may be deleted for its age; make room on the disk"
        )
        raise DiskFailed(msg) from error
