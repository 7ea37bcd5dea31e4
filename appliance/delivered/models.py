"""All delivered models of the line: wishes in, looks at the disk, canaries and status out."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from appliance.config import ApplianceConfig
from appliance.delivered.model import DeliveredModel, MakeLoader
from appliance.delivered.shipped import Shipped
from appliance.delivered.wish import Wish
from appliance.inspection import Canary, RecipeConfig, Result
from appliance.inspection.result import rfc3339
from appliance.registry.store.view import StoreView
from appliance.runtimes.model import Model
from appliance.serving import Manager, ServableState
from appliance.status import CanaryStatus, DeliveredStatus, FeedStatus, ModelStatus

logger = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
"""The disk is read so often where nobody says anything."""


class DeliveredModels:
    """Threads: run() is the body of one of the owner's; wished(), look() and alone() wake it and return at once.

    count() and canary() belong to whoever judges parts: about a microsecond.
    """

    def __init__(
        self,
        config: Callable[[], ApplianceConfig],
        manager: Manager[Model],
        make: MakeLoader,
        recipes_of: Callable[[str], Sequence[RecipeConfig]],
    ) -> None:
        """`config` is asked for what a reload may change; which models are delivered stays as it is."""
        self._manager = manager
        self._recipes_of = recipes_of
        self._models = {name: _model(name, config, manager, make) for name in config().delivered}
        self._wishes: Mapping[str, Wish] = dict.fromkeys(self._models, Wish())  # replaced, never changed
        self._canaries: Mapping[str, Canary] = {}  # likewise
        self._wake = threading.Event()
        self._noticed_ns = time.monotonic_ns()
        self._told: list[tuple[str, int, str]] = []
        self.moved: Callable[[], None] = lambda: None
        """Called where a pointer has moved, or a version has come, gone or failed."""
        self.show: Callable[[Collection[str]], None] = lambda _models: None
        """Called with the models whose frames an examiner wants to see."""
        if self._models:
            manager.monitor.subscribe(self._state_changed)

    @property
    def names(self) -> Collection[str]:
        """The delivered models."""
        return self._models.keys()

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: look at each wish, each change of state, and each second."""
        while not stop.is_set():
            self.look_now()
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def look_now(self) -> None:
        """One look at every model. On run()'s thread, or before it runs."""
        noticed_ns, wishes = self._noticed_ns, self._wishes
        has_moved = [model.look(wishes[name], noticed_ns) for name, model in self._models.items()]
        self._set_canaries(wishes)
        states = [state for state in self._manager.states() if state.id.name in self._models]
        told = [(state.id.name, state.id.version, state.manager_state.value) for state in states]
        if any(has_moved) or told != self._told:
            self._told = told
            self.moved()
        for name, canary in self._canaries.items():
            canary.measure(self._recipes_of(name))

    def wished(self, models: Mapping[str, Any]) -> None:
        """What the delivery process wants, whole. Raises: KeyError, TypeError, ValueError where that means nothing."""
        self._wish({name: Wish.from_json(models[name]) if name in models else Wish() for name in self._models})

    def alone(self) -> None:
        """The delivery process is gone: nothing is tried out any more. What was kept to go back to stays."""
        self._wish({name: wish.alone() for name, wish in self._wishes.items()})

    def look(self) -> None:
        """The disk has changed."""
        self._notice()

    def stop(self) -> None:
        """Let run() look at its `stop`."""
        self._wake.set()

    def canary(self, name: str) -> Canary | None:
        """The candidate that has to pass this model's parts too."""
        return self._canaries.get(name)

    def count(self, name: str, result: Result) -> None:
        """One part more of this model."""
        model = self._models.get(name)
        if model is not None:
            model.tallies.count(result)

    def is_decided(self, name: str) -> bool:
        """Something of it serves, or nothing can."""
        return self._models[name].is_decided

    def statuses(self, feeds: Mapping[str, FeedStatus]) -> dict[str, DeliveredStatus]:
        """`feeds`: counts of the models whose frames are shown."""
        canaries = self._canaries
        return {
            name: model.status(canaries[name].status() if name in canaries else None, feeds.get(name))
            for name, model in self._models.items()
        }

    def marked(self, status: ModelStatus) -> ModelStatus:
        """With what is known more of a delivered model's version."""
        model = self._models.get(status.name)
        held = None if model is None else model.held_of(status.version)
        if model is None or held is None:
            return status
        is_pointer = model.pointer is not None and model.pointer.version == status.version
        return replace(status, release=held.release, is_pointer=is_pointer)

    def _wish(self, wishes: Mapping[str, Wish]) -> None:
        if wishes == self._wishes:
            return  # it is said each second
        self._wishes = wishes
        self.show([name for name, wish in wishes.items() if wish.shadow])
        self._notice()

    def _notice(self) -> None:
        self._noticed_ns = time.monotonic_ns()
        self._wake.set()

    def _state_changed(self, state: ServableState) -> None:
        if state.id.name in self._models:
            self._notice()

    def _set_canaries(self, wishes: Mapping[str, Wish]) -> None:
        """A canary goes on as long as its candidate is the same, and ends when that serves."""
        canaries = {}
        for name, model in self._models.items():
            candidate = model.candidate if wishes[name].canary else None
            if candidate is None:
                continue
            before = self._canaries.get(name)
            if before is not None and before.version == candidate.version:
                canaries[name] = before
                continue
            status = CanaryStatus(candidate.release, candidate.version, rfc3339(time.time_ns()))
            canaries[name] = Canary(status, partial(self._manager.borrow, name, candidate.version))
        self._canaries = canaries


def _model(
    name: str, config: Callable[[], ApplianceConfig], manager: Manager[Model], make: MakeLoader
) -> DeliveredModel:
    return DeliveredModel(
        name,
        StoreView(config().store_of(name)),
        Shipped(name, lambda: config().models[name].base_path).newest,
        manager,
        make,
        is_kept=lambda: config().models[name].swap == "availability_preserving",
    )
