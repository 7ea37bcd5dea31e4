"""The manager and its configuration: everything loaded at once, or each version when it is asked for."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.runtimes.model import Model
from appliance.serve import settings
from appliance.serve.values import Values
from appliance.server_core import LazyCore, ServerCore
from appliance.serving import (
    AnyManager,
    CachingManager,
    Catalogue,
    ExecutorFactory,
    Loader,
    Manager,
    ResourceTracker,
    ServableId,
    availability_preserving,
    thread_executors,
)

_INITIAL_LOAD_THREADS: Final = 4 * (os.cpu_count() or 1)
"""While nothing serves yet, loads need not be polite."""

MakeModelLoader = Callable[[ServableId, Path], Loader[Model]]


class Core(Protocol):
    """What ServerCore and LazyCore have in common; see there."""

    def manage(self, stop: threading.Event) -> None: ...
    def watch(self, stop: threading.Event) -> None: ...
    def close(self) -> None: ...
    def labels(self, name: str) -> Mapping[str, int]: ...
    def models(self) -> Sequence[str]: ...
    def start(self, message: Any) -> None: ...
    def reload(self, message: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Cores:
    """A manager and the core over it."""

    manager: AnyManager[Model]
    core: Core
    settle: Callable[[], object]
    """To be called when the first configuration is loaded: from now on loads are polite."""


def build_cores(values: Values, make_loader: MakeModelLoader) -> Cores:
    """As the flags say. Nothing is started."""
    tracker = ResourceTracker(settings.resources(values))
    if values.yes("load_on_first_request"):
        return _lazy(values, make_loader, tracker)
    manager: Manager[Model] = Manager(
        availability_preserving,
        tracker,
        max_load_retries=max(0, values.whole("max_num_load_retries")),
        load_retry_interval_s=max(0, values.whole("load_retry_interval_micros")) / 1e6,
        executors=_executors(values, _INITIAL_LOAD_THREADS),
    )
    core = ServerCore(manager, {"tensorflow": make_loader}, settings.core_settings(values))
    return Cores(manager, core, lambda: manager.set_load_threads(_load_threads(values)))


def _lazy(values: Values, make_loader: MakeModelLoader, tracker: ResourceTracker) -> Cores:
    """A load that fails is told to who asked, and tried again for the next who asks: no attempts of its own accord."""
    catalogue: Catalogue[Path, Model] = Catalogue(make_loader)
    manager: CachingManager[Model] = CachingManager(
        catalogue, tracker, executors=_executors(values, _load_threads(values))
    )
    core = LazyCore(catalogue, manager, ["tensorflow"], settings.core_settings(values))
    return Cores(manager, core, lambda: None)


def _executors(values: Values, load_threads: int) -> ExecutorFactory:
    return thread_executors(load_threads=load_threads, unload_threads=max(1, values.whole("num_unload_threads")))


def _load_threads(values: Values) -> int:
    return max(1, values.whole("num_load_threads"))
