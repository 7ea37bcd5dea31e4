"""When a busy server wants to be asked again."""

from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 86_400.0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, of a Retry-After in either form; None where there is none that can be read.

    A moment is compared with the server's own Date, as this box' clock may be anywhere.
    """
    text = headers.get("retry-after", "").strip()[:64]
    if text.isdecimal():
        return min(float(text), LONGEST_S)
    moment = _moment(text)
    if moment is None:
        return None
    now = _moment(headers.get("date", "")[:64]) or datetime.now(timezone.utc)
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_S)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
