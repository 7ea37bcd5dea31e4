"""What every manager is to those who borrow and watch, whoever decides what it loads."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from appliance.serving.handle import Handle
from appliance.serving.ids import ServableId
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.state import ServableState

ServableT = TypeVar("ServableT")


class AnyManager(Protocol[ServableT]):
    """A `Manager`, a `StaticManager`, or a `CachingManager`.

    Threads: any may call anything.
    """

    @property
    def monitor(self) -> ServableStateMonitor:
        """Where the states of its versions are told."""

    def borrow(self, name: str, version: int | None = None) -> Handle[ServableT]:
        """A handle; entering it borrows the version, or without one the latest. Raises there: ServingError."""

    def states(self, name: str | None = None) -> list[ServableState]:
        """Every version known and those that ended last; by name, the newest version first."""

    def stop(self, timeout_s: float) -> Sequence[ServableId]:
        """Unload everything; returns after about `timeout_s` at the latest, with what is left."""
