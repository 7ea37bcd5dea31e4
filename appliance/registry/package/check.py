"""Is a signed release one for this box, and for now? Rules without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from appliance.registry.package.statement import Statement

CLOCK_TOLERANCE: Final = timedelta(minutes=10)
"""A publisher's clock may be ahead of the box' by so much."""


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
    raise NotImplementedError


def line_matches(pattern: str, line: str) -> bool:
    """`*` stands for any text within one level, `**` for any number of levels, none included."""
    raise NotImplementedError
