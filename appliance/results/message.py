"""A recorded message, and who can be asked for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.outbox.history import Selection


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was recorded."""

    row: int
    """In the outbox; a line's number in a file."""
    camera: str | None
    """None only of a gap in a file, in front of its stream's first result."""
    topic: str
    stream: str
    sequence: int
    """A gap's first number."""
    through: int
    """A gap's last number; otherwise the same as `sequence`."""
    at_utc_ns: int
    """When it was recorded; in a file, of the exposure. Nanoseconds since 1970."""
    fields: dict[str, Any]
    payload: bytes


class Source(Protocol):
    """One thread."""

    @property
    def name(self) -> str:
        """As a sentence has it."""

    @property
    def damaged(self) -> int:
        """Messages met until now that are not what was written, and left out."""

    def about(self) -> int | None:
        """How many messages there are, for whoever waits; None where that is not known."""

    def every(self, selection: Selection) -> Iterator[Message]:
        """In the order of recording; the memory that is needed does not grow. Raises: ResultsError, OutboxError."""

    def close(self) -> None:
        """Let go of it; may be called twice."""
