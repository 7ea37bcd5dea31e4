"""The models of this box: the Manager, the folders it is fed from, and the runtime that loads."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from appliance.config import ApplianceConfig, ModelConfig, SpecificPolicy
from appliance.dataplane.local import LocalBackend
from appliance.delivered import DeliveredModels
from appliance.errors import ApplianceError
from appliance.fitting import FittingLoader
from appliance.inspection import RecipeConfig
from appliance.registry.store.view import StoreView
from appliance.runtimes.config import GpuConfig, RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Model
from appliance.runtimes.warmup import WARM_UP_FILE
from appliance.scheduling import spare_processors, stand_back
from appliance.serving import (
    Executor,
    FileSystemSource,
    Latest,
    Manager,
    ManagerState,
    NotServing,
    ResourceTracker,
    ServableId,
    ServableState,
    Specific,
    ThreadExecutor,
    VersionPolicy,
    WatchedServable,
    availability_preserving,
    main_ram,
    resource_preserving,
)
from appliance.serving.policy import Action, AspiredVersion
from appliance.status import ModelStatus

logger = logging.getLogger(__name__)

_UNLOAD_S: Final = 5.0
_LOOK_S: Final = 0.2
_POLICIES: Final = {
    "availability_preserving": availability_preserving,
    "resource_preserving": resource_preserving,
}


class Models:
    """Everything about models that the line's process holds.

    Threads: manage() and watch() are bodies of the owner's threads; the rest may be called by any.
    """

    def __init__(
        self, config: ApplianceConfig, prepared: Path, recipes_of: Callable[[str], Sequence[RecipeConfig]]
    ) -> None:
        """`prepared`: folder of prepared versions; `recipes_of` a model: those that have to fit it."""
        self._config = config
        self._prepared = prepared
        self._recipes_of = recipes_of
        self.manager: Manager[Model] = Manager(
            self._policy,
            ResourceTracker(main_ram(config.resources.model_memory_mb * 1_000_000)),
            executors=_polite_executor,
        )
        self._source: FileSystemSource[FittingLoader] = FileSystemSource(
            _watched(config),
            self._loader,
            self.manager.aspire,
            poll_interval_s=config.resources.poll_s,
        )
        self.delivered = DeliveredModels(lambda: self._config, self.manager, self._loader, recipes_of)
        """Those whose versions come from a registry."""
        self._polled = threading.Event()
        self.backend = LocalBackend(self.manager, lambda name: self.labels().get(name, {}))
        """The same models, as requests from the network see them."""

    def manage(self, stop: threading.Event) -> None:
        """The manager's thread: loads and unloads as wished, until `stop`."""
        self.manager.run(stop)

    def watch(self, stop: threading.Event) -> None:
        """The source's thread: looks for versions, until `stop`."""
        self._source.poll()
        self._polled.set()
        self._source.run(stop)

    def update(self, config: ApplianceConfig) -> None:
        """Take over a changed configuration; versions that stay wanted stay loaded."""
        self._config = config
        self._source.update(_watched(config))
        self._source.poll()

    def wait_first_load(self, timeout_s: float, stop: threading.Event) -> None:
        """Until every model that can come has come, has failed, or the time is over."""
        self._polled.wait(timeout_s)
        limit = time.monotonic() + timeout_s
        while time.monotonic() < limit and not stop.is_set() and not self._is_first_load_over():
            stop.wait(_LOOK_S)

    def labels(self) -> Mapping[str, Mapping[str, int]]:
        """Per model: names of versions, as the operator's file has them now."""
        return {name: model.labels for name, model in self._config.models.items() if model.labels}

    def problems(self) -> Mapping[str, str]:
        """Per model: what is wrong with its folder."""
        return self._source.problems()

    def statuses(self) -> list[ModelStatus]:
        """Every version known, the newest first. Some microseconds a version."""
        return [self._status(state) for state in self.manager.states()]

    def stop(self) -> None:
        """Unload everything, as far as nobody borrows it."""
        self.manager.stop(_UNLOAD_S)

    def _is_first_load_over(self) -> bool:
        missing = self._source.problems()
        delivered = self.delivered.names
        return all(map(self.delivered.is_decided, delivered)) and all(
            name in missing or _is_decided(self.manager.states(name)) for name in self._config.models.keys() - delivered
        )

    def _policy(self, versions: Sequence[AspiredVersion]) -> Action | None:
        """Each model's own; a model that left the configuration goes as the default says."""
        model = self._config.models.get(versions[0].id.name) if versions else None
        return _POLICIES[model.swap if model else "availability_preserving"](versions)

    def _loader(self, new: ServableId, folder: Path) -> FittingLoader:
        config = self._config
        inner = SavedModelLoader(folder, runtime_config(config, new.name, self._prepared), _replay)
        return FittingLoader(inner, folder, lambda: self._recipes_of(new.name), copies=config.cameras_of(new.name))

    def _status(self, state: ServableState) -> ModelStatus:
        engine = reason = digest = None
        if state.manager_state is ManagerState.AVAILABLE:
            try:
                with self.manager.borrow(state.id.name, state.id.version) as borrowed:
                    model = borrowed.servable
                    engine, reason, digest = model.engine, model.engine_reason, model.digest
            except NotServing:
                pass  # it left between the two looks
        status = ModelStatus(
            name=state.id.name,
            version=state.id.version,
            state=state.manager_state.value,
            error=None if state.error is None else str(state.error),
            engine=engine,
            engine_reason=reason,
            digest=digest,
        )
        return self.delivered.marked(status)


def runtime_config(config: ApplianceConfig, name: str, prepared: Path) -> RuntimeConfig:
    """How the runtime shall prepare and run this model."""
    model = config.models[name]
    fraction = config.resources.gpu_memory_fraction
    return RuntimeConfig(
        cache=prepared,
        engines=model.engines,
        threads=model.threads,
        copies=max(1, config.cameras_of(name)) + (lending_workers(config) or 1),
        gpu=None if fraction is None else GpuConfig(memory_fraction=fraction),
        tolerance_absolute=model.tolerance,
        tolerance_relative=model.tolerance,
    )


def _replay(model: Model, folder: Path) -> int:
    """Run the requests that a version brings with it; how many there were. Raises: WarmUpFailed, OSError."""
    if not (folder / WARM_UP_FILE).is_file():
        return 0
    from appliance.dataplane.metrics import Metrics
    from appliance.dataplane.warmup_records import replay  # messages take memory that a line without them spares

    return replay(model, folder, metrics=Metrics())


def lending_workers(config: ApplianceConfig) -> int:
    """Requests from the network that run at once; 0 where none are answered.

    Each camera has a copy of its model, and so has each of these: none ever waits for another's.
    """
    if not config.serving.enabled:
        return 0
    return config.serving.workers or spare_processors()


def newest_loader(config: ApplianceConfig, name: str, prepared: Path) -> tuple[int, Path, SavedModelLoader]:
    """The version that would serve, its folder, and its loader. Raises: ApplianceError where there is none."""
    model = config.models[name]
    current = None if model.delivery is None else StoreView(config.store_of(name)).current()
    if current is not None:
        loader = SavedModelLoader(current.folder, runtime_config(config, name, prepared))
        return current.version, current.folder, loader
    found: dict[int, tuple[Path, SavedModelLoader]] = {}

    def make(new: ServableId, folder: Path) -> SavedModelLoader:
        loader = SavedModelLoader(folder, runtime_config(config, name, prepared))
        found[new.version] = (folder, loader)
        return loader

    source = FileSystemSource([WatchedServable(name, model.base_path, _version_policy(model))], make, lambda *_: None)
    source.poll()
    if source.problems():
        raise ApplianceError(source.problems()[name])
    version = max(found)
    return (version, *found[version])


def _is_decided(states: Sequence[ServableState]) -> bool:
    """Some version serves, or every one has ended."""
    kinds = {state.manager_state for state in states}
    return ManagerState.AVAILABLE in kinds or kinds == {ManagerState.END}


def _watched(config: ApplianceConfig) -> list[WatchedServable]:
    """The models whose versions somebody puts into their folder."""
    return [
        WatchedServable(name, model.base_path, _version_policy(model))
        for name, model in config.models.items()
        if model.delivery is None
    ]


def _version_policy(model: ModelConfig) -> VersionPolicy:
    if isinstance(model.versions, SpecificPolicy):
        return Specific(frozenset(model.versions.specific))
    return Latest(model.versions.latest)


def _polite_executor(what: str) -> Executor:
    """Loading and warming up take what the line leaves over."""
    return ThreadExecutor(f"model-{what}", at_start=stand_back)
