"""When a change may happen: `22:00-05:00`, `Mon-Fri 22:00-05:00`, in local time (naive datetimes).

On the night of a change to or from summer time a window is an hour shorter or longer than its clock times say.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance.errors import ConfigError

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = "|".join(DAYS)
_TEXT: Final = re.compile(rf"(?:({_DAY})(?:-({_DAY}))? )?(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """One window of the week. Over midnight it belongs to the day on which it began."""

    weekdays: frozenset[int]
    """0 is Monday."""
    start_minute: int
    minutes: int
    """1..1440; `06:00-06:00` is a whole day."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One window on one day; `end` is no part of it."""

    start: datetime
    end: datetime


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """From the operator's file. Raises: ConfigError."""
    return tuple(_read(text) for text in texts)


def _read(text: str) -> Window:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ConfigError(f'{text!r} is no window; write it like "22:00-05:00" or "Mon-Fri 22:00-05:00"')
    first, last, *clock = found.groups()
    start, end = (int(hour) * 60 + int(minute) for hour, minute in (clock[:2], clock[2:]))
    if start >= _DAY_MINUTES or end > _DAY_MINUTES or int(clock[1]) > 59 or int(clock[3]) > 59:
        raise ConfigError(f"the window {text!r} names a time that no clock shows; write 00:00 to 24:00")
    return Window(_days(first, last), start, (end - start) % _DAY_MINUTES or _DAY_MINUTES)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    """`Fri-Mon` goes over Sunday."""
    if first is None:
        return frozenset(range(7))
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))


def is_open(windows: Sequence[Window], local: datetime) -> bool:
    """Without any window always."""
    return not windows or open_now(windows, local) is not None


def open_now(windows: Sequence[Window], local: datetime) -> Opening | None:
    """The one that is open at `local`; of several the one that closes last. None also without any window."""
    if not windows:
        return None
    found = [one for one in _openings(windows, local) if one.start <= local < one.end]
    return max(found, key=lambda one: one.end, default=None)


def next_opening(windows: Sequence[Window], local: datetime) -> datetime:
    """The first moment from `local` on at which one is open; `local` itself where one is."""
    if is_open(windows, local):
        return local
    return min(one.start for one in _openings(windows, local) if one.start >= local)


def _openings(windows: Sequence[Window], local: datetime) -> list[Opening]:
    """From yesterday's, which may still be open, to the same weekday of the next week."""
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        Opening(start, start + timedelta(minutes=window.minutes))
        for day in (today + timedelta(days=step) for step in range(-1, 8))
        for window in windows
        if day.weekday() in window.weekdays
        for start in (day + timedelta(minutes=window.start_minute),)
    ]
