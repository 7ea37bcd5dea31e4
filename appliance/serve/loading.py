"""How a version is loaded here: with its metrics, and its own batching parameters."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.batching import BatchingParameters, parameters_of
from appliance.dataplane.metrics import LOAD_ATTEMPTS, LOAD_LATENCY, MLMD_MAP, Metrics
from appliance.errors import ApplianceError
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Model
from appliance.serve.files import read_message
from appliance.serving import LoadRefused, ResourceAllocation, ServableId

_UUID_FILE: Final = Path("assets.extra") / "mlmd_uuid"
_UUID_MAX_BYTES: Final = 4096
_BATCHING_FILE: Final = "batching_params.pbtxt"


class OwnBatching:
    """The batching parameters that versions bring with them. Threads: any."""

    def __init__(self) -> None:
        self._known: dict[ServableId, BatchingParameters] = {}

    def of(self, version: ServableId) -> BatchingParameters | None:
        """Those of a loaded version; None where it has none."""
        return self._known.get(version)

    def read(self, version: ServableId, folder: Path) -> None:
        """Read a version's file, where it has one. Raises: LoadRefused."""
        self.forget(version)
        file = folder / _BATCHING_FILE
        if not file.exists():
            return
        try:
            self._known[version] = parameters_of(read_message("tensorflow.serving.BatchingParameters", file))
        except ApplianceError as error:
            raise LoadRefused(f"{version}: {error}") from error

    def forget(self, version: ServableId) -> None:
        """It is unloaded."""
        self._known.pop(version, None)


class ServedLoader:
    """A SavedModelLoader that is counted: attempts, how long they took, and where the version came from."""

    def __init__(
        self,
        inner: SavedModelLoader,
        folder: Path,
        metrics: Metrics,
        batching: OwnBatching | None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`batching`: where its own batching parameters are kept; None: they are not read."""
        self._inner = inner
        self._folder = folder
        self._metrics = metrics
        self._batching = batching
        self._clock_s = clock_s
        self._id: ServableId | None = None

    def estimate_resources(self) -> ResourceAllocation:
        """See `Loader`."""
        return self._inner.estimate_resources()

    def load(self, id: ServableId, /) -> Model:  # noqa: A002 - the word of the trade
        """See `Loader`."""
        self._id = id
        path = str(self._folder)
        began_s = self._clock_s()
        try:
            if self._batching is not None:
                self._batching.read(id, self._folder)
            model = self._inner.load(id)
        except ApplianceError:
            self._metrics.count(LOAD_ATTEMPTS, model_path=path, status="fail")
            raise
        self._metrics.count(LOAD_ATTEMPTS, model_path=path, status="success")
        self._metrics.count(LOAD_LATENCY, int((self._clock_s() - began_s) * 1e6), model_path=path)
        self._tell_origin(id)
        return model

    def unload(self) -> None:
        """See `Loader`."""
        self._inner.unload()
        if self._batching is not None and self._id is not None:
            self._batching.forget(self._id)

    def cancel(self) -> None:
        """See `Cancellable`."""
        self._inner.cancel()

    def _tell_origin(self, version: ServableId) -> None:
        """ML Metadata's id of the run that trained it, where the version says so."""
        try:
            with (self._folder / _UUID_FILE).open("rb") as file:
                uuid = file.read(_UUID_MAX_BYTES).decode(errors="replace")
        except OSError:
            return
        self._metrics.gauge(MLMD_MAP, uuid, model_name=version.name, version=str(version.version))
