"""Brings one version directory into memory, and out of it: serving's Loader for SavedModels."""

from pathlib import Path

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.digest import digest_of, size_of
from appliance.runtimes.errors import LoadError, PredictError
from appliance.runtimes.memory import give_back, resident_bytes
from appliance.runtimes.model import Model
from appliance.runtimes.tensorflow.capi import tensorflow
from appliance.runtimes.tensorflow.model import TensorFlowModel
from appliance.runtimes.tensorflow.opening import explained, open_saved_model_engine
from appliance.runtimes.warmup import warm_up
from appliance.serving.ids import ServableId
from appliance.serving.resources import ResourceAllocation, main_ram

_OVER_DISK = 1.2
"""What a SavedModel takes in memory, for each byte on disk."""
_SESSION_BYTES = 32 << 20
"""What a session takes beside its weights."""


class SavedModelLoader:
    """Loads the SavedModel in one directory.

    Threads: as serving's Loader says. load() holds the interpreter's lock for milliseconds at most.
    """

    def __init__(self, folder: Path, config: RuntimeConfig) -> None:
        self._folder = folder
        self._config = config
        self._model: TensorFlowModel | None = None
        self._held_bytes: int | None = None

    def estimate_resources(self) -> ResourceAllocation:
        """Before load(): 1.2 times the files' bytes and what a session needs; after it: what it took.

        Raises: LoadError.
        """
        if self._held_bytes is not None:
            return main_ram(self._held_bytes)
        return main_ram(self._estimate())

    def load(self, id: ServableId, /) -> Model:  # noqa: A002 - the word of the trade
        """Return the model, warm. Raises: LoadError, LoadRefused."""
        estimate = self._estimate()
        description = describe(self._folder)
        tensorflow()  # the libraries are the process', not this model's
        before = resident_bytes()
        model = open_saved_model_engine(
            self._folder,
            description,
            self._config,
            digest=digest_of(self._folder),
            reason="the SavedModel as it was exported",
        )
        try:
            warm_up(model, self._config.warm_up_max_s)
        except PredictError as error:
            model.close()
            give_back()
            raise explained(f"{id}", 0, str(error)) from error
        self._model = model
        self._held_bytes = min(estimate, max(0, resident_bytes() - before))
        return model

    def unload(self) -> None:
        """Free the model and give its memory back to the system."""
        if self._model is None:
            raise RuntimeError("unload() without a load() that succeeded")
        self._model.close()
        self._model = None
        give_back()

    def _estimate(self) -> int:
        try:
            return int(size_of(self._folder) * _OVER_DISK) + _SESSION_BYTES
        except OSError as error:
            raise LoadError(f"{self._folder} cannot be read: {error}") from error
