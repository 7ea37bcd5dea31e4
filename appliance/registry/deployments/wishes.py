"""What operators want: the desired release, as JSON over MQTT and REST, and what holds its start."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.errors import ApplianceError
from appliance.registry.deployments.events import Hold
from appliance.registry.deployments.states import State
from appliance.registry.deployments.windows import Window

BODY_MAX_BYTES = 4096


class WishRefused(ApplianceError):
    """What came is no wish. Its text is the answer to whoever sent it (REST: 400)."""


@dataclass(frozen=True, slots=True)
class Desired:
    """One wish; whole. It names a release and confers no trust. Exactly one of tag, digest, release is set."""

    tag: str | None
    """At the configured source."""
    digest: str | None
    """sha256:<64 hex>: of the content, as the statement and results have it, or of an OCI manifest."""
    release: int | None
    """One that this box holds, or that the source names at present."""
    request_id: str
    requested_by: str
    model: str | None = None
    """None: the only one that is delivered here."""
    force: bool = False
    """Try also a digest that failed here before."""
    not_before: datetime | None = None
    spread_s: float | None = None
    """None: as the box is configured."""
    percent: float = 100.0
    """Of the boxes; each is in or out by its own id, and stays in when this grows."""
    issued: datetime | None = None
    """The newest counts; None: now."""

    def as_json(self) -> dict[str, Any]:
        """What read_desired reads."""
        raise NotImplementedError


def read_desired(body: bytes | str | Mapping[str, Any], *, requested_by: str, request_id: str | None = None) -> Desired:
    """Read a wish. Both arguments stand in where the body does not say them. Raises: WishRefused."""
    raise NotImplementedError


def share_of(box_id: str, key: str) -> float:
    """0 <= share < 1: this box' place for this deployment; always the same."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Start:
    """All that may_start looks at."""

    now: datetime
    """With its offset, in the box' local time."""
    box_id: str
    key: str
    """Names the release for rings and spread: its digest, or the identity at its source. The same for every box."""
    seen: datetime
    """When this box first knew of it: Deployment.created."""
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
    """What holds it now; None: it may begin. Ask again at least once a second: cheap (microseconds)."""
    raise NotImplementedError


def may_change(start: Start) -> Hold | None:
    """What holds the switch itself, once all is proven: pause, pin, window."""
    raise NotImplementedError
