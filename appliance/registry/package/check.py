"""Is a signed release one for this box, and for now? Rules without I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.fields import as_moment
from appliance.registry.package.statement import Statement

CLOCK_TOLERANCE: Final = timedelta(minutes=10)
"""A publisher's clock may be ahead of the box' by so much."""
_LEADING_NUMBERS: Final = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """What a box knows when it judges a statement for one of its models."""

    model: str
    line: str
    """As `acme/linz/hall2/line3`."""
    time_floor: datetime
    """UTC; the greatest of the appliance's build date and of every `issued` verified before: it is not earlier."""
    appliance: str
    """The running appliance's version, `0.1.0`."""
    max_bytes: int
    """The largest package taken."""
    product: str | None = None
    """None: statements for certain products are refused."""
    release_floor: int = 0
    """The highest release verified here; 0: none."""
    floor_digest: str | None = None
    """The content of the release at the floor."""
    versions: Mapping[int, str] = field(default_factory=dict)
    """Version numbers that stand for a content digest here."""
    revoked: frozenset[str] = frozenset()
    """Content digests that some verified statement revoked."""


def check_statement(statement: Statement, box: BoxFacts, now: datetime) -> None:
    """Return where `statement` may be installed on `box` at `now` (UTC).

    A clock behind `box.time_floor` is wrong, and the floor stands in for it.
    Raises: Rejected with WRONG_MODEL, WRONG_LINE, WRONG_PRODUCT, REVOKED, OLDER_RELEASE, VERSION_REUSED, EXPIRED,
    NOT_YET_VALID, RUNTIME or TOO_LARGE. EXPIRED and NOT_YET_VALID depend on the clock: they may be otherwise later.
    """
    _check_address(statement, box)
    _check_history(statement, box)
    _check_time(statement, box.time_floor, now)
    _check_needs(statement, box)


def line_matches(pattern: str, line: str) -> bool:
    """`*` stands for any text within one level, `**` for any number of levels, none included."""
    return _levels_match(tuple(pattern.split("/")), tuple(line.split("/")))


def _levels_match(patterns: tuple[str, ...], levels: tuple[str, ...]) -> bool:
    """Row by row, and not by trying: its cost is patterns times levels whatever a pattern looks like."""
    fits = [True] + [False] * len(levels)
    for pattern in patterns:
        if pattern == "**":
            fits = [any(fits[: end + 1]) for end in range(len(levels) + 1)]
        else:
            fits = [False] + [fits[end] and _level_matches(pattern, levels[end]) for end in range(len(levels))]
    return fits[-1]


def _level_matches(pattern: str, level: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == level
    last = rest.pop()
    if len(level) < len(first) + len(last) or not level.startswith(first) or not level.endswith(last):
        return False
    position, end = len(first), len(level) - len(last)
    for part in rest:  # the leftmost place for each is as good as any other
        found = level.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _check_address(statement: Statement, box: BoxFacts) -> None:
    if statement.model != box.model:
        raise Rejected(
            Refusal.WRONG_MODEL,
            f"The package is for the model {statement.model}, and {box.model} was looked for; "
            "correct the source, or publish under this name.",
        )
    if not any(line_matches(pattern, box.line) for pattern in statement.lines):
        raise Rejected(
            Refusal.WRONG_LINE,
            f"{_which(statement)} is for the lines {_few(statement.lines)}, and this box is on {box.line}; "
            "publish one for this line.",
        )
    if statement.products and box.product not in statement.products:
        here = f"judges {box.product}" if box.product else "has no product set ([models.NAME.delivery] product)"
        raise Rejected(
            Refusal.WRONG_PRODUCT, f"{_which(statement)} is for {_few(statement.products)}, and this box {here}."
        )


def _check_history(statement: Statement, box: BoxFacts) -> None:
    if statement.digest in box.revoked or statement.digest in statement.revokes:
        raise Rejected(
            Refusal.REVOKED, f"{_which(statement)} holds {statement.digest}, which its publisher has revoked."
        )
    known = box.versions.get(statement.version)
    if known is not None and known != statement.digest:
        raise Rejected(
            Refusal.VERSION_REUSED,
            f"{_which(statement)} is version {statement.version}, which stands for other content here ({known}); "
            "publish it under a new version number.",
        )
    same = statement.release == box.release_floor and box.floor_digest in {None, statement.digest}
    if statement.release <= box.release_floor and not same:
        raise Rejected(
            Refusal.OLDER_RELEASE,
            f"{_which(statement)} is not above release {box.release_floor}, which this box has verified already; "
            "publish again with a higher release number, also to bring old content back.",
        )


def _check_time(statement: Statement, floor: datetime, now: datetime) -> None:
    at = max(now, floor)
    if now < floor:
        clock = f"this box' clock says {as_moment(now)}, which is wrong: it cannot be before {as_moment(floor)}"
    else:
        clock = f"this box' clock says {as_moment(now)}"
    if at >= statement.expires:
        raise Rejected(
            Refusal.EXPIRED,
            f"{_which(statement)} expired at {as_moment(statement.expires)}; {clock}. "
            "Sign it again with a later end, or set the clock if it is wrong.",
        )
    if statement.issued > at + CLOCK_TOLERANCE:
        raise Rejected(
            Refusal.NOT_YET_VALID,
            f"{_which(statement)} was issued at {as_moment(statement.issued)}, in the future; {clock}. "
            "Set the clock of this box, or the publisher's.",
        )


def _check_needs(statement: Statement, box: BoxFacts) -> None:
    if statement.min_appliance is not None and _numbers(box.appliance) < _numbers(statement.min_appliance):
        raise Rejected(
            Refusal.RUNTIME,
            f"{_which(statement)} needs appliance {statement.min_appliance}, and this is {box.appliance}; "
            "update the box first.",
        )
    if statement.size > box.max_bytes:
        raise Rejected(
            Refusal.TOO_LARGE,
            f"{_which(statement)} has {statement.size / 1e6:.0f} MB, and this box takes {box.max_bytes / 1e6:.0f} MB "
            "at most ([delivery] package_max_mb).",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """`0.1` and `0.1.0` are the same; what follows the numbers is left out."""
    found = _LEADING_NUMBERS.match(version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _which(statement: Statement) -> str:
    return f"Release {statement.release} of {statement.model}"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
