"""Moments and spans as people type them. For argparse: raises ArgumentTypeError with a sentence."""

import argparse
import re
import time
from datetime import datetime, timezone
from typing import Final

_SPAN: Final = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NS: Final = 1_000_000_000
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(?P<fraction>\.\d{1,9})?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)"
)


def moment(text: str) -> int:
    """`2h` ago, or RFC 3339: nanoseconds since 1970."""
    span = _SPAN.fullmatch(text.strip())
    if span is not None:
        return time.time_ns() - int(span[1]) * _SECONDS[span[2]] * _NS
    try:
        return utc_ns(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no moment: say how long ago (90s, 15m, 2h, 7d), or a moment with its offset from UTC "
            "(2026-11-20T06:00:00Z, 2026-11-20T07:00+01:00)"
        ) from None


def utc_ns(text: str) -> int:
    """RFC 3339: nanoseconds since 1970. Raises ValueError."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        msg = f"{text!r} is no moment"
        raise ValueError(msg)
    fraction = found["fraction"] or ""
    zone = "+00:00" if found["zone"] in "Zz" else found["zone"]
    whole = text.strip()[: len(text.strip()) - len(found["zone"])].removesuffix(fraction)
    seconds = int(datetime.fromisoformat(whole.upper().replace(" ", "T") + zone).timestamp())
    return seconds * _NS + int(fraction[1:].ljust(9, "0") or 0)


def text(utc_at_ns: int) -> str:
    """A moment as results have it: RFC 3339 in UTC, milliseconds."""
    at = datetime.fromtimestamp(utc_at_ns // _NS, timezone.utc)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{utc_at_ns % _NS // 1_000_000:03d}Z"


def span(seconds: float) -> str:
    """How long, as a person says it: `3.2 s`, `12 min`, `5 h`, `3 days`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for unit, length, limit in (("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
