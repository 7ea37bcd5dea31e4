"""Brings one version directory into memory, and out of it: serving's Loader for SavedModels."""

import json
import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeAlias

from appliance.runtimes.child import Child
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.digest import digest_of, size_of
from appliance.runtimes.errors import InvalidInput, LoadError, LoadRefused, PredictError
from appliance.runtimes.memory import give_back, resident_bytes
from appliance.runtimes.model import LAST_RESORT, Engine, Model
from appliance.runtimes.opening import OpenModel, load_libraries, open_model, open_tflite
from appliance.runtimes.prepared import Prepared, PreparedCache, key_of
from appliance.runtimes.tensorflow.opening import does_not_run
from appliance.runtimes.warmup import warm_up
from appliance.runtimes.workers import new_workers_at_normal_priority
from appliance.serving import ResourceAllocation, ServableId, gpu_ram, main_ram

_OVER_DISK: dict[Engine, float] = {"litert": 1.5, "tensorflow-frozen": 7, "tensorflow-saved-model": 4}
"""What a model takes in memory at most, for each byte of its SavedModel: graph, session and packed weights. Measured
with a ResNet-50 (102 MB of weights): 1.0, 6.4 and 3.2."""
_OVER_DISK_A_COPY = 1.5
"""What each copy of a LiteRT model adds: its packed weights. Measured: 1.0."""
_BESIDE_BYTES = 64 << 20
"""What it takes beside its weights."""
_TFLITE = "model.tflite"
_REFUSED = 2
"""The preparing process' exit status for a version that cannot be served."""
_logger = logging.getLogger(__name__)


Replay: TypeAlias = Callable[[Model, Path], int]


class SavedModelLoader:
    """Loads the SavedModel in one directory with the fastest engine that gives its answers.

    Threads: load(), unload() and estimate_resources() as serving's Loader says; cancel() on any. load() holds the
    interpreter's lock for milliseconds at most: what needs longer happens in a child process or without the lock.
    """

    def __init__(self, folder: Path, config: RuntimeConfig, replay: Replay | None = None) -> None:
        """`folder` must not change while it is loaded: what is loaded is what was digested.

        `replay`: runs the requests recorded in a version's folder, and returns how many there were. It raises
        WarmUpFailed, and then the version is refused.
        """
        self._folder = folder
        self._config = config
        self._replay = replay
        self._cache = PreparedCache(config.cache, config.cache_max)
        self._model: OpenModel | None = None
        self._held_bytes: int | None = None
        self._lock = threading.Lock()
        self._child: Child | None = None  # guarded by _lock
        self._cancelled = False  # guarded by _lock

    def estimate_resources(self) -> ResourceAllocation:
        """Before load(): from the files' bytes, generously; after it: what it took. Raises: LoadError."""
        host = main_ram(self._estimate() if self._held_bytes is None else self._held_bytes)
        gpu = self._config.gpu
        # On the first GPU, since TensorFlow puts there what does not ask for another.
        return host if gpu is None or gpu.memory_budget is None else host + gpu_ram(gpu.memory_budget, 0)

    def load(self, id: ServableId, /) -> Model:  # noqa: A002 - the word of the trade
        """Prepare the version where this box has not done so before, load it, warm it up, return it.

        Seconds to minutes the first time, below a second when prepared. Raises: LoadError, LoadRefused.
        """
        estimate = self._estimate()
        try:
            return self._load(estimate)
        except OSError as error:
            raise LoadError(f"{id} in {self._folder}: {error}; check the disk") from error

    def unload(self) -> None:
        """Free the model and give its memory back to the system. Milliseconds."""
        if self._model is None:
            raise RuntimeError("unload() without a load() that succeeded")
        self._model.close()
        self._model = None
        give_back()

    def cancel(self) -> None:
        """End a preparing child; load() then raises LoadError. For a program that is about to end."""
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                self._child.kill()

    def _load(self, estimate: int) -> Model:
        open_it, engine = self._found()
        load_libraries(engine)  # before the memory is measured: they are the process', not this model's
        before = resident_bytes()
        with new_workers_at_normal_priority() if self._config.may_have_workers else nullcontext():
            model = open_it()
        with ExitStack() as undo:
            undo.callback(give_back)
            undo.callback(model.close)
            self._warm_up(model)
            undo.pop_all()
        give_back()
        self._model = model
        self._held_bytes = min(estimate, max(0, resident_bytes() - before))
        return model

    def _found(self) -> tuple[Callable[[], OpenModel], Engine]:
        """What is in the folder, ready to be opened, and with which engine. Raises: LoadError, LoadRefused, OSError."""
        config = self._config
        tflite = self._folder / _TFLITE
        if config.prefer_tflite_model and tflite.is_file():
            reason = f"litert: {_TFLITE} is preferred"
            served = Prepared(source_digest=digest_of(self._folder), engine="litert", engine_reason=reason)
            return partial(open_tflite, tflite, served, config), served.engine
        description = describe(self._folder, config.tags)
        prepared, file = self._prepared(digest_of(self._folder))
        return partial(open_model, self._folder, description, prepared, file, config), prepared.engine

    def _warm_up(self, model: Model) -> None:
        """Raises: LoadRefused."""
        config = self._config
        if not config.warm_up:
            return
        is_recorded = self._replay is not None and self._replay(model, self._folder) > 0
        if is_recorded and model.engine != "litert":
            return  # of the other engines nothing is left cold; here every copy has weights of its own to pack
        try:
            warm_up(model, copies=config.copies, limit_s=config.warm_up_max_s)
        except (PredictError, InvalidInput) as error:
            if config.must_run and not is_recorded:
                raise does_not_run(self._folder, error) from error
            _logger.info("%s fails on made-up inputs and serves all the same: %s", self._folder, error)

    def _prepared(self, digest: str) -> tuple[Prepared, Path | None]:
        """From the cache, or made now; the SavedModel itself, with the reason, where preparing fails."""
        plain = Prepared(source_digest=digest, engine=LAST_RESORT, engine_reason="")
        if set(self._config.engines) <= {plain.engine}:
            return plain.model_copy(update={"engine_reason": f"{LAST_RESORT}: no other engine is allowed"}), None
        try:
            found, failure = self._from_cache(key_of(digest, self._config))
        except OSError as error:  # a cache that cannot be used is no reason not to serve
            found, failure = None, f"the cache cannot be used: {error}"
        if found is not None:
            return found
        return plain.model_copy(update={"engine_reason": f"{LAST_RESORT}: preparing failed: {failure}"}), None

    def _from_cache(self, key: str) -> tuple[tuple[Prepared, Path | None] | None, str | None]:
        """Return what is there, prepared first where it is not, or why it could not be.

        Raises: LoadError, LoadRefused, OSError.
        """
        found = self._cache.find(key)
        if found is not None:
            return found, None
        failure = self._prepare()
        if failure is not None:
            return None, failure
        return self._cache.find(key), "what was prepared is not in the cache"

    def _prepare(self) -> str | None:
        """Return why it failed; None where it did not. Raises: LoadError, LoadRefused."""
        options = self._config.model_dump(mode="json", exclude={"cache"})
        arguments = [str(self._folder.resolve()), str(self._config.cache.resolve()), "--options", json.dumps(options)]
        with self._lock:
            if self._cancelled:
                raise LoadError(f"loading {self._folder} was cancelled")
            self._child = Child("appliance.runtimes.prepare", arguments)
        ended = self._child.wait(self._config.prepare_timeout_s)
        with self._lock:
            self._child = None
            if self._cancelled:
                raise LoadError(f"loading {self._folder} was cancelled")
        if ended.code == _REFUSED:
            raise LoadRefused(ended.how)
        if ended.code < 0 and not ended.timed_out:
            raise LoadError(f"preparing {self._folder} failed: {ended.how}; it is tried again")
        return ended.how if ended.code else None

    def _estimate(self) -> int:
        try:
            factors = [_OVER_DISK[engine] for engine in (*self._config.engines, LAST_RESORT)]
            if "litert" in self._config.engines or self._config.prefer_tflite_model:
                factors.append(_OVER_DISK["litert"] + _OVER_DISK_A_COPY * self._config.copies)
            return int(size_of(self._folder) * max(factors)) + _BESIDE_BYTES
        except OSError as error:
            raise LoadError(f"{self._folder} cannot be read: {error}; check the disk") from error
