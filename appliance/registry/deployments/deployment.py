"""One deployment: all that is known of one release's way onto this box. The same JSON on disk, over REST and MQTT."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from appliance.registry.deployments.states import ENDS, TRANSITIONS, State

MOVES_MAX: Final = 28
"""The loop guard: a deployment that moved so often ends `failed`."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Immutable; `moved` makes the next one. Moments are RFC 3339, UTC."""

    id: str
    """UUIDv7."""
    model: str
    reference: str
    """What was asked for, and where it was found."""
    identity: str
    """The release at its place: see remote.Seen."""
    requested_by: str
    created: str
    since: str
    """In this state since then."""
    state: State = State.PENDING
    request_id: str | None = None
    reason: str | None = None
    """For programs; of every end but success, and of a wait."""
    detail: str | None = None
    """The same as a sentence for people."""
    waiting_for: str | None = None
    """turn, start, window, approval, ring, pin, pause, network: why it does not go on by itself at present."""
    version: int | None = None
    release: int | None = None
    digest: str | None = None
    """These three once the statement is verified."""
    previous: int | None = None
    """The release that served before this one was activated."""
    moves: int = 0
    attempts: int = 0
    """Loads begun."""
    restarts: int = 0
    """Of the line, during probation."""
    bytes_total: int = 0
    bytes_done: int = 0
    bytes_fetched: int = 0
    """Of `bytes_done`, those that came over the network; the rest was here."""
    approved_by: str | None = None
    force: bool = False
    """Try also a digest that failed here before."""
    reports: Mapping[str, Any] = field(default_factory=dict)
    """What it proved: `acceptance`, `shadow`, `canary`, `probation`; each flat, with `passed`."""

    @property
    def is_over(self) -> bool:
        """No transition leads away."""
        return self.state in ENDS

    def moved(
        self, state: State, at: str, *, reason: str | None = None, detail: str | None = None, **facts: Any
    ) -> "Deployment":
        """The same in another state. Raises: RuntimeError where the table does not know that way (a bug)."""
        if state not in TRANSITIONS.get(self.state, ()):
            raise RuntimeError(f"no way from {self.state.value} to {state.value}")
        return replace(
            self, state=state, since=at, reason=reason, detail=detail, waiting_for=None, moves=self.moves + 1, **facts
        )

    def as_json(self) -> dict[str, Any]:
        """For disk, REST and MQTT."""
        value = asdict(self)
        value["state"] = self.state.value
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Deployment":
        """The inverse; of what this program wrote. Raises: KeyError, TypeError, ValueError."""
        return cls(**{**value, "state": State(value["state"])})
