"""What can happen to a deployment: told to `machine.after`, which says what follows.

Three kinds. Work that its driver did (`Downloaded`, `Loaded`, ...): told in another state than its own, it is a bug.
Outcomes (`Refused`, `Failed`, `Disappointed`, `TimedOut`). And what people and the world do at any moment
(`Approved`, `Canceled`, `Superseded`, `Crashed`): where it comes too late it changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Report: TypeAlias = Mapping[str, Any]
"""Flat: numbers, sentences. See health.py for the keys of each."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a deployment does not go on by itself at present."""

    waiting_for: str
    """turn, start, window, ring, pin, pause: for programs."""
    detail: str
    """The same as a sentence for people."""
    until: datetime | None = None
    """Nothing changes before, unless somebody does something; None: not known."""


@dataclass(frozen=True, slots=True)
class Began:
    """pending: nothing holds it; the download begins."""


@dataclass(frozen=True, slots=True)
class StatementVerified:
    """downloading: the release statement is here, and its signature holds. Again after a crash."""

    version: int
    release: int
    digest: str
    bytes_total: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """downloading: so far it got; both whole counts. No move: told as often as one likes."""

    bytes_done: int
    bytes_fetched: int


@dataclass(frozen=True, slots=True)
class AlreadyHere:
    """pending, downloading: what is wanted serves already."""

    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """downloading: all of it is on the disk."""


@dataclass(frozen=True, slots=True)
class Verified:
    """verifying: every byte, every name, both signatures."""


@dataclass(frozen=True, slots=True)
class Staged:
    """staged: the next is the load. (The release lies whole in the store since `Verified`.)"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """loading: it runs in the examiner."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """accepting: golden samples passed. With `hold`, what comes next is the switch, and it waits before it."""

    report: Report
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class ShadowPassed:
    """shadowing: judged, and passed."""

    report: Report
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class CanaryPassed:
    """canary: judged, and passed."""

    report: Report
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """shadowing, canary, probation: the counters so far, kept over a crash. No move."""

    report: Report


@dataclass(frozen=True, slots=True)
class Activated:
    """activating: `current` is the candidate, and the line was told. `previous`: the release before."""

    previous: int | None


@dataclass(frozen=True, slots=True)
class Committed:
    """probation: judged, and passed. Its report's `running_digest` has to be the deployment's."""

    report: Report


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be trusted, or revoked meanwhile. `reason`: see errors.Refusal."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Trusted, and did not prove itself or could not be brought here.

    In activating: the pointer has not moved, its driver has looked. Where it may have, `Disappointed` is the word.
    """

    reason: str
    """disk_full, network, load_error, oom, acceptance, shadow, canary, ..."""
    detail: str
    report: Report = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disappointed:
    """The candidate serves and must not: judged so in probation, or a person asks for the one before.

    Before the switch there is nothing to roll back, and nothing changes.
    """

    reason: str
    detail: str
    report: Report = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer one is wanted. `by`: which, for people."""

    by: str


@dataclass(frozen=True, slots=True)
class Canceled:
    """`by`: who."""

    by: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It took longer than it may."""

    detail: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """rolling_back: `current` is the one before again, or still."""


@dataclass(frozen=True, slots=True)
class RollbackFailed:
    """rolling_back: the one before cannot serve."""

    detail: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """Its driver was gone in this state and is back: the delivery process, or the box. Also: its examiner died."""

    line: bool = True
    """The line itself restarted too; in probation that counts against the candidate."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A person wants it to serve; also in advance. `hold`: what else holds the switch at present."""

    by: str
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """It waits. No move. See wishes.may_start and wishes.may_change."""

    waiting_for: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unheld:
    """Nothing holds it any more. Where it waits before the switch it goes on, an approval where one is asked for."""


Event: TypeAlias = (
    Began
    | StatementVerified
    | Fetched
    | AlreadyHere
    | Downloaded
    | Verified
    | Staged
    | Loaded
    | Accepted
    | ShadowPassed
    | CanaryPassed
    | Counted
    | Activated
    | Committed
    | Refused
    | Failed
    | Disappointed
    | Superseded
    | Canceled
    | TimedOut
    | RolledBack
    | RollbackFailed
    | Crashed
    | Approved
    | Held
    | Unheld
)
