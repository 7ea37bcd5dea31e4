"""What crosses between the line and the examiner: datagrams of JSON one way, six bytes the other."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

DATAGRAM_MAX: Final = 131_072
"""Bytes. A decision with a thousand classes has some 40,000."""
SLOTS: Final = 4
"""Pictures that the examiner may have, or be about to get."""
HELLO: Final = 0xFFFF
"""In place of a slot's number: a new examiner, with a new epoch; whatever was sent before is nobody's."""
_BACK: Final = struct.Struct("=IH")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One frame in the shared memory, and what the serving model said of it."""

    epoch: int
    """The examiner's that it is for."""
    slot: int
    offset: int
    """Bytes from the memory's beginning."""
    shape: Sequence[int]
    pixel_format: str
    sequence: int
    exposed_ns: int
    exposed_utc_ns: int
    is_simulated: bool
    camera: str
    recipe: str
    model: str
    version: int
    trigger_id: int
    evaluation: str
    classes: Sequence[Sequence[Any]]
    """[label, score, region or null], highest score first."""
    inference_ms: float | None

    def to_bytes(self) -> bytes:
        """As it crosses."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Sighting":
        """The inverse; only ever given what the line wrote."""
        value: Mapping[str, Any] = json.loads(raw)
        return cls(**value)


def back_to_bytes(epoch: int, slot: int) -> bytes:
    """A slot is free again; or HELLO."""
    return _BACK.pack(epoch, slot)


def back_from_bytes(raw: bytes) -> tuple[int, int] | None:
    """Epoch and slot, or HELLO; None for anything else: an examiner runs what came from afar."""
    return _BACK.unpack(raw) if len(raw) == _BACK.size else None
