"""What is served: a configuration, the source that looks for its versions, and the manager that loads them."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from appliance.dataplane.errors import Code, RequestError
from appliance.server_core.arrival import Arrival, because, did_not_become_available
from appliance.server_core.config import Models
from appliance.server_core.labels import assign_labels
from appliance.server_core.reading import Served, read_config
from appliance.serving import (
    ErrorInjectingAdapter,
    FileSystemSource,
    Loader,
    LoadRefused,
    Manager,
    ManagerState,
    NotAvailable,
    ServableId,
    SourceAdapter,
    SourceRouter,
    WatchedServable,
)

logger = logging.getLogger(__name__)

ServableT = TypeVar("ServableT")

_LABELS_WAIT_S = 300.0
"""Of several versions the first serves; a label on another one waits so long for it."""

MakeLoader = Callable[[ServableId, Path], Loader[ServableT]]
"""How a platform loads the version in a directory. Cheap; see `SourceAdapter`."""


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """How configurations are applied."""

    poll_s: float = 1.0
    """Base paths are looked at so often; 0: only when a configuration is applied."""
    reload_timeout_s: float = 60.0
    """A reload waits at most so long for the models it adds, and fails where one has not come by then."""
    versions_always_present: bool = True
    """An emptied directory unloads nothing; otherwise it unloads its model, as tensorflow_model_server does."""
    labels_for_unavailable: bool = False
    """A label that is not in use may point at a version that does not serve (yet)."""
    tolerate_failed_models: bool = False
    """start() returns also where a model did not come; it is logged, and the others serve."""


class ServerCore(Generic[ServableT]):
    """Threads: start() first and once; manage() and watch() are bodies of the owner's threads; the rest is anybody's.

    A reload adds first and removes last: the models that are new are loaded while everything serves on as it did. When
    they are all AVAILABLE, base paths, policies and labels change and what was dropped is unloaded; where one did not
    come, the new ones are withdrawn and nothing else has happened. So the box needs room for both for a while.
    """

    def __init__(
        self, manager: Manager[ServableT], platforms: Mapping[str, MakeLoader[ServableT]], settings: CoreSettings
    ) -> None:
        """`platforms`: how the models of each model_platform are loaded."""
        self._manager = manager
        self._settings = settings
        self._adapters = {
            platform: SourceAdapter[Path, Loader[ServableT]](make, manager.aspire)
            for platform, make in platforms.items()
        }
        unknown = ErrorInjectingAdapter[Loader[ServableT]](LoadRefused("No platform found for model"), manager.aspire)
        self._router: SourceRouter[Path] = SourceRouter(unknown.aspire)
        self._source: FileSystemSource[Path] = FileSystemSource(
            [],
            lambda _, path: path,
            self._router.aspire,
            poll_interval_s=settings.poll_s,
            unload_when_empty=not settings.versions_always_present,
        )
        self._applying = threading.Lock()
        self._served: Served | None = None  # replaced with _applying held; None: no configuration yet
        self._closing = threading.Event()

    def manage(self, stop: threading.Event) -> None:
        """The manager's thread: loads and unloads as wished, until `stop`."""
        self._manager.run(stop)

    def watch(self, stop: threading.Event) -> None:
        """The source's thread: looks for versions, until `stop`."""
        self._source.run(stop)

    def close(self) -> None:
        """End all waiting; whoever waits is told that the server is shutting down."""
        self._closing.set()

    def labels(self, name: str) -> Mapping[str, int]:
        """The version labels of a model. A microsecond."""
        return {} if self._served is None else self._served.labels.get(name, {})

    def models(self) -> list[str]:
        """The names of the models of the configuration in force."""
        return [] if self._served is None else sorted(self._served.models)

    def problems(self) -> Mapping[str, str]:
        """Per model: why its versions cannot be seen."""
        return self._source.problems()

    def start(self, message: Any) -> None:
        """Apply the first tensorflow.serving.ModelServerConfig, and wait until each of its models has a version.

        It waits for ever for a model whose base path or versions are yet to come, as tensorflow_model_server does.
        Labels are looked at when the versions have come: the first configuration may have them, which there it may
        not. manage() has to run. Raises: RequestError, where the configuration is wrong, every version of a model has
        failed, a label points at what does not come, or close() was called.
        """
        with self._applying:
            served = self._read(message, is_first=True)
            if served is None:
                return
            models = served.models
            with Arrival(self._manager.monitor) as arrival:
                self._served = served
                self._aspire(models)
                absent = self._out_of_sight(models) if self._settings.tolerate_failed_models else {}
                missing = {
                    **absent,
                    **arrival.wait(models.keys() - absent.keys(), timeout_s=None, stop=self._closing),
                }
        if self._closing.is_set():
            raise _closing()
        if missing and not self._settings.tolerate_failed_models:
            raise RequestError(Code.UNKNOWN, did_not_become_available("servable", missing.values()))
        if missing:
            logger.warning("%s", did_not_become_available("servable", missing.values()))
        if not self._settings.labels_for_unavailable:
            self._check_first_labels(served)

    def reload(self, message: Any) -> None:
        """Apply another ModelServerConfig whole, or not at all; returns when the models it adds serve.

        One at a time: the next waits for the one before. Raises: RequestError; then everything is as it was.
        """
        if not self._applying.acquire(timeout=self._settings.reload_timeout_s):
            raise RequestError(
                Code.UNAVAILABLE,
                f"Another reload has been under way for {self._settings.reload_timeout_s:g} s; try again when it ends",
            )
        try:
            before: Models = {} if self._served is None else self._served.models
            served = self._read(message)
            if served is None:
                return
            models = served.models
            added = models.keys() - before.keys()
            if added:
                self._add({name: models[name] for name in sorted(added)}, before)
            self._served = served  # labels and all, by one store
            self._aspire(models)
        finally:
            self._applying.release()
        logger.info("Finished adding/updating models: %s", ", ".join(sorted(models)) or "none is served now")

    def _check_first_labels(self, served: Served) -> None:
        """Every labelled version has come, or is waited for until it has, or has ended. Raises: RequestError."""
        labelled = [ServableId(name, version) for name, map_ in served.labels.items() for version in map_.values()]
        managed = {state.id for each in labelled for state in self._manager.states(each.name)}
        with suppress(NotAvailable):
            self._manager.monitor.wait_until_available([each for each in labelled if each in managed], _LABELS_WAIT_S)
        assign_labels(served.models, {}, self._available, allow_unavailable=False)

    def _read(self, message: Any, *, is_first: bool = False) -> Served | None:
        """What a configuration asks for; None where it is empty. Raises: RequestError."""
        return read_config(
            message,
            self._served,
            self._adapters.keys(),
            self._available,
            labels_for_unavailable=is_first or self._settings.labels_for_unavailable,
        )

    def _add(self, added: Models, before: Models) -> None:
        """Load what is new beside everything that serves. Raises: RequestError; then it is withdrawn again."""
        with Arrival(self._manager.monitor) as arrival:
            self._aspire({**before, **added})
            missing = self._out_of_sight(added)
            if not missing:
                missing = arrival.wait(added.keys(), timeout_s=self._settings.reload_timeout_s, stop=self._closing)
        if not missing:
            return
        self._aspire(before)
        if self._closing.is_set():
            raise _closing()
        raise RequestError(Code.UNKNOWN, did_not_become_available("model", missing.values()))

    def _out_of_sight(self, added: Iterable[str]) -> Mapping[str, str]:
        """Why models cannot come: a mistyped path is told at once, and not when the time is over."""
        problems = self._source.problems()
        return {name: because(name, None, problems[name]) for name in added if name in problems}

    def _aspire(self, models: Models) -> None:
        """Look for the versions of these models, and of no others, now."""
        self._router.update({model.name: self._adapters[model.platform].aspire for model in models.values()})
        self._source.update(WatchedServable(model.name, model.base_path, model.versions) for model in models.values())
        self._source.poll()

    def _available(self, name: str) -> set[int]:
        states = self._manager.states(name)
        return {state.id.version for state in states if state.manager_state is ManagerState.AVAILABLE}


def _closing() -> RequestError:
    return RequestError(Code.UNAVAILABLE, "The server is shutting down")
