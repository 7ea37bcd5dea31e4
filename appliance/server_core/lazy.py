"""A configuration whose models are loaded when somebody asks for them, and not before."""

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from appliance.server_core.core import CoreSettings
from appliance.server_core.reading import Served, read_config
from appliance.serving import (
    CachingManager,
    Catalogue,
    FileSystemSource,
    ServingError,
    WatchedServable,
)

ServableT = TypeVar("ServableT")


class LazyCore(Generic[ServableT]):
    """As `ServerCore`, over a CachingManager: for many models of which few are asked for.

    The first request for a version waits until it is loaded; so a new version costs its first request that time. A
    version that is not wanted any more is unloaded. Labels may point at any version.
    """

    def __init__(
        self,
        catalogue: Catalogue[Path, ServableT],
        manager: CachingManager[ServableT],
        platforms: Collection[str],
        settings: CoreSettings,
    ) -> None:
        """`catalogue`: the manager's own loader factory, which loads models of these `platforms`."""
        self._catalogue = catalogue
        self._manager = manager
        self._platforms = platforms
        self._source: FileSystemSource[Path] = FileSystemSource(
            [],
            lambda _, path: path,
            self._offer,
            poll_interval_s=settings.poll_s,
            unload_when_empty=not settings.versions_always_present,
        )
        self._applying = threading.Lock()
        self._served: Served | None = None  # replaced with _applying held

    def manage(self, stop: threading.Event) -> None:
        """Nothing to do: who asks does the stepping."""
        stop.wait()

    def watch(self, stop: threading.Event) -> None:
        """The source's thread: looks for versions, until `stop`."""
        self._source.run(stop)

    def close(self) -> None:
        """Nobody waits here."""

    def labels(self, name: str) -> Mapping[str, int]:
        """The version labels of a model. A microsecond."""
        return {} if self._served is None else self._served.labels.get(name, {})

    def models(self) -> list[str]:
        """The names of the models of the configuration in force."""
        return [] if self._served is None else sorted(self._served.models)

    def start(self, message: Any) -> None:
        """Apply the first configuration; loads nothing. Raises: RequestError."""
        self.reload(message)

    def reload(self, message: Any) -> None:
        """Apply a tensorflow.serving.ModelServerConfig, and wait for nothing.

        Raises: RequestError; then nothing has changed.
        """
        with self._applying:
            before = None if self._served is None else Served(self._served.models)  # any label may move anywhere
            served = read_config(message, before, self._platforms, lambda _: (), labels_for_unavailable=True)
            if served is None:
                return
            self._served = served
            models = served.models.values()
            self._source.update(WatchedServable(each.name, each.base_path, each.versions) for each in models)
            self._source.poll()

    def _offer(self, name: str, versions: Mapping[int, Path | ServingError]) -> None:
        self._catalogue.aspire(name, versions)
        self._manager.retain(name, versions.keys())
