"""When a change may happen: `22:00-05:00`, `Mon-Fri 22:00-05:00`, in local time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Window:
    """One window of the week. Over midnight it belongs to the day on which it began."""

    weekdays: frozenset[int]
    """0 is Monday."""
    start_minute: int
    minutes: int
    """1..1440; `06:00-06:00` is a whole day."""


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """From the operator's file. Raises: ConfigError."""
    raise NotImplementedError


def is_open(windows: Sequence[Window], local: datetime) -> bool:
    """Without any window always."""
    raise NotImplementedError


def next_opening(windows: Sequence[Window], local: datetime) -> datetime:
    """The first moment from `local` on at which one is open; `local` itself where one is."""
    raise NotImplementedError
