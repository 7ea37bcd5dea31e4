"""How much an outbox may hold, how much it holds, and what one transaction changed."""

from dataclasses import dataclass

from appliance.outbox.row import Recorded


@dataclass(frozen=True, slots=True)
class Limits:
    """How much disk the rows may take, and what then."""

    max_bytes: int
    drop_oldest: bool
    """Give up the oldest waiting rows; otherwise take no more."""
    keep_days: float = 7.0
    """How long acknowledged rows stay where there is room for them."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction did."""

    recorded: list[Recorded]
    taken: int
    """So many of the entries, from the front, are dealt with."""
    lost: int
    """Messages given up in it, named in gap messages; `Losses` among the entries were counted before."""
    removed: int
    """Rows fewer: too old, in the way, or given up."""
    more: bool
    """There is more to acknowledge or to delete, at once."""
    unheard: int
    """Of the removed: rows that a named consumer had not confirmed; there was no room for them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the file holds, as of the last commit."""

    waiting: int = 0
    """Rows that the broker has not acknowledged."""
    waiting_bytes: int = 0
    kept: int = 0
    """Rows that it has."""
    kept_bytes: int = 0
    used_bytes: int = 0
    """Of the file's pages."""
    oldest_waiting_utc_ns: int | None = None
    oldest_kept_utc_ns: int | None = None
