"""A manager of a fixed set of versions: all are loaded when it is built, and none changes until it is stopped."""

import math
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from appliance.serving.executor import ExecutorFactory, ThreadExecutor
from appliance.serving.handle import Handle
from appliance.serving.ids import ServableId
from appliance.serving.loader import Loader
from appliance.serving.manager import Manager
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.policy import availability_preserving
from appliance.serving.resources import ResourceTracker
from appliance.serving.state import ServableState

ServableT = TypeVar("ServableT")

_UNLOAD_S = 10.0


class StaticManager(Generic[ServableT]):
    """For a program that needs just these models: no source, no policy, no thread that steps.

    Threads: any may call anything. Borrowing is as with `Manager`.
    """

    def __init__(
        self,
        loaders: Mapping[ServableId, Loader[ServableT]],
        resources: ResourceTracker | None = None,
        *,
        executors: ExecutorFactory = ThreadExecutor,
        monitor: ServableStateMonitor | None = None,
    ) -> None:
        """Load all of them; takes as long as that takes. Each is tried once.

        Raises: ServingError, that of the first version given that did not load; then nothing stays loaded.
        """
        self._manager: Manager[ServableT] = Manager(
            availability_preserving, resources, max_load_retries=0, executors=executors, monitor=monitor
        )
        self.monitor = self._manager.monitor
        for name in sorted({each.name for each in loaders}):
            self._manager.aspire(name, {each.version: loaders[each] for each in loaders if each.name == name})
        self._manager.step_until(lambda: None not in self._outcomes(loaders), math.inf)
        failed = [state.error for state in self._outcomes(loaders) if state is not None and state.error is not None]
        if failed:
            self.stop(_UNLOAD_S)
            raise failed[0]

    def borrow(self, name: str, version: int | None = None) -> Handle[ServableT]:
        """See `Manager`."""
        return self._manager.borrow(name, version)

    def states(self, name: str | None = None) -> list[ServableState]:
        """See `Manager`."""
        return self._manager.states(name)

    def stop(self, timeout_s: float) -> Sequence[ServableId]:
        """Unload everything. See `Manager`."""
        return self._manager.stop(timeout_s)

    def _outcomes(self, loaders: Mapping[ServableId, Loader[ServableT]]) -> list[ServableState | None]:
        return [self._manager.decided(each, loader) for each, loader in loaders.items()]
