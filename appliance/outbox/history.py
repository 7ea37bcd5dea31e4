"""What the outbox still has, read by whoever asks: results that wait, and those that the broker has and that are kept.

Never a change to the file, in any process, on a running box as on a stopped one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.outbox.chain import Head
from appliance.outbox.row import Row


@dataclass(frozen=True, slots=True)
class Kept:
    """One message as it was recorded."""

    row: Row
    recorded_utc_ns: int
    """Wall clock when it was written, nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class StreamSpan:
    """What there is of one life of one camera's messages."""

    camera: str
    stream: str
    first: int
    last: int
    rows: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What the folder holds at one moment."""

    waiting: int
    """Rows that the broker has not acknowledged."""
    waiting_bytes: int
    kept: int
    """Rows that it has, and that are kept for replay."""
    kept_bytes: int
    oldest_waiting_utc_ns: int | None
    oldest_kept_utc_ns: int | None
    newest_row: int
    acknowledged: int
    """The broker has every row up to this one, as far as the gateway has written it down."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages are asked for; None: no limit. All bounds are inclusive."""

    camera: str | None = None
    topic: str | None = None
    """`result` or `gap`."""
    stream: str | None = None
    from_sequence: int | None = None
    to_sequence: int | None = None
    since_utc_ns: int | None = None
    until_utc_ns: int | None = None
    """Of the moment of recording."""


class History:
    """One thread. Follows the writer to a new file where the old one was damaged."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened before the first question."""
        self._folder = folder

    def rows(self, selection: Selection, *, after_row: int = 0, limit: int = 1000) -> list[Kept]:
        """At most `limit` messages behind row `after_row`, in the order of recording; empty where there are no more.

        A short read transaction, found by an index for `stream` with numbers, and for a span of time. Rows that are
        not what was written are left out and counted in `damaged`. Raises: DiskFailed, OutboxDamaged.
        """
        raise NotImplementedError

    def every(self, selection: Selection) -> Iterator[Kept]:
        """All of them, in portions, so that the writer is never held up. Raises as rows()."""
        raise NotImplementedError

    def streams(self) -> list[StreamSpan]:
        """Every stream that has rows here, oldest first. Raises as rows()."""
        raise NotImplementedError

    def holding(self) -> Holding:
        """How much there is; milliseconds. Raises as rows()."""
        raise NotImplementedError

    def heads(self) -> dict[str, Head]:
        """By stream: its newest record and the link behind it, as the writer wrote them down; for `chain.verify`.

        Only the newest stream of each camera and topic; milliseconds. Raises as rows().
        """
        raise NotImplementedError

    @property
    def damaged(self) -> int:
        """Rows met until now whose checksum is wrong."""
        return 0

    def close(self) -> None:
        """Let go of the file; may be called twice."""
