"""Whether a deployment may start now, and whether its switch may happen now. Stateless: a restart redraws nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.registry.deployments.events import Hold
from appliance.registry.deployments.places import bucket_of, share_of
from appliance.registry.deployments.states import State
from appliance.registry.deployments.windows import Window, is_open, next_opening, open_now


@dataclass(frozen=True, slots=True)
class Start:
    """All that may_start looks at."""

    now: datetime
    """With its offset, in the box' local time."""
    box_id: str
    key: str
    """Names the release for rings and spread: its digest, or the identity at its source. The same for every box."""
    seen: datetime
    """When this box first knew of it as it is wished now: a wish with more percent starts its spread anew."""
    percent: float = 100.0
    not_before: datetime | None = None
    spread_s: float = 0.0
    windows: Sequence[Window] = ()
    paused: bool = False
    pinned: bool = False
    digest: str | None = None
    """Once known."""
    installed: str | None = None
    """The digest that serves."""
    failed: Collection[str] = ()
    rejected: Collection[str] = ()
    """Digests that ended so here."""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """It does not start at all: `end` says how it ends."""

    end: State
    reason: str
    detail: str


def may_start(start: Start) -> Hold | Never | None:
    """What holds it now; None: it may begin. Ask again at least once a second: 0.1 ms."""
    return _never(start) or _stopped(start) or _ring(start) or _window(start) or _moment(start)


def may_change(start: Start) -> Hold | None:
    """What holds the switch itself, once all is proven: pause, pin, window."""
    return _stopped(start) or _window(start)


def _never(start: Start) -> Never | None:
    digest = start.digest
    if digest is None:
        return None
    if digest in start.rejected:
        return Never(State.REJECTED, "rejected_before", f"{digest} was rejected here before, and is not tried again")
    if digest == start.installed:
        return Never(State.ALREADY_INSTALLED, "already_installed", f"{digest} serves already")
    if digest in start.failed and not start.force:
        what = f"{digest} failed here before; ask for it with force to try it again"
        return Never(State.FAILED, "failed_before", what)
    return None


def _stopped(start: Start) -> Hold | None:
    if start.paused:
        return Hold("pause", "deliveries are paused on this box; resume them")
    if start.pinned:
        return Hold("pin", "the model is pinned on this box; unpin it")
    return None


def _ring(start: Start) -> Hold | None:
    if bucket_of(start.box_id, start.key) < round(start.percent * 100, 6):
        return None
    return Hold("ring", f"{start.percent:g} % of the boxes are asked to take it, and this is none of them")


def _window(start: Start) -> Hold | None:
    local = start.now.replace(tzinfo=None)
    if is_open(start.windows, local):
        return None
    opens = next_opening(start.windows, local).replace(tzinfo=start.now.tzinfo)
    return Hold("window", f"no change may happen before {opens:%a %Y-%m-%d %H:%M} local time", opens)


def _moment(start: Start) -> Hold | None:
    """Spread over `spread_s` from the first moment at which it could start, and over the window that is open.

    Without the latter every box that waited for 22:00 would start at 22:00. Its last tenth stays free, so that nobody's
    turn comes when it is about to close.
    """
    begin = max(start.seen, start.not_before or start.seen)
    length = timedelta(seconds=start.spread_s)
    opening = open_now(start.windows, start.now.replace(tzinfo=None))
    if opening is not None:
        begin = max(begin, opening.start.replace(tzinfo=start.now.tzinfo))
        left = opening.end.replace(tzinfo=start.now.tzinfo) - begin
        length = min(length, max(timedelta(), left * 0.9))
    due = begin + share_of(start.box_id, start.key) * length
    if start.now >= due:
        return None
    due = due.astimezone(start.now.tzinfo)
    return Hold("start", f"it starts at {due:%Y-%m-%d %H:%M:%S} local time", due)
