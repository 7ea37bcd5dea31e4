"""Plain text for a terminal: aligned columns, and how long ago something was."""

from collections.abc import Sequence
from datetime import datetime

_GAP = "  "


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; one of numbers stands at its right edge. The last may be of any length."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    rights = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(headings))]
    return "\n".join(_line(row, widths, rights) for row in (headings, *rows))


def age(since: str, now: datetime) -> str:
    """Such as `3 min`, from an RFC 3339 moment; "-" where the server does not say it."""
    try:
        seconds = (now - datetime.fromisoformat(since.replace("Z", "+00:00"))).total_seconds()
    except (TypeError, ValueError):
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def _line(cells: Sequence[str], widths: Sequence[int], rights: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, rights, strict=True)
    )
    return _GAP.join(padded).rstrip()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
