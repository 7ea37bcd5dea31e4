"""tensorflow_model_server as one readable list: builds everything, owns every thread, and ends in order."""

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, Literal

from appliance import systemd
from appliance.batching import Batcher
from appliance.dataplane import DataPlane, Metrics
from appliance.dataplane.errors import RequestError
from appliance.dataplane.local import LocalBackend
from appliance.dataplane.warmup_records import replayer
from appliance.runtimes.loader import SavedModelLoader
from appliance.serve import settings
from appliance.serve.cores import build_cores
from appliance.serve.flag import Value
from appliance.serve.flags import without_effect
from appliance.serve.loading import OwnBatching, ServedLoader
from appliance.serve.observing import observe_into
from appliance.serve.ports import Ports
from appliance.serve.values import Values
from appliance.server_core import ConfigFile
from appliance.serving import ServableId

logger = logging.getLogger(__name__)

_UNLOAD_S: Final = 5.0
_LOOK_UP_S: Final = 1.0


class ModelServer:
    """run() is the main thread."""

    def __init__(self, given: Mapping[str, Value]) -> None:
        """Build what can be built without waiting. Raises: RequestError, where the flags are wrong."""
        for sentence in without_effect(given):
            logger.warning("%s", sentence)
        values = self._values = Values(given)
        self._metrics = Metrics()
        self._stop = threading.Event()
        self._asked: SimpleQueue[Literal["reload", "end"]] = SimpleQueue()  # a signal's handler may put, always
        self._exit_code = 0
        self._runtime = settings.runtime_config(values)
        self._replay = replayer(self._metrics, values.whole("num_request_iterations_for_warmup") or 1)
        has_own = values.yes("enable_batching") and values.yes("enable_per_model_batching_parameters")
        self._own_batching = OwnBatching() if has_own else None
        self._cores = build_cores(values, self._loader)
        self._core = self._cores.core
        file = values.text("model_config_file")
        self._config_file = ConfigFile(Path(file), self._core.reload) if file else None
        self._first_config = settings.first_config(values, self._config_file)
        parameters = settings.batching(values)
        observe = observe_into(self._metrics)
        self._batcher = None if parameters is None else Batcher(parameters, observe=observe)
        self._ports = Ports(values, self._plane(), self._core.reload)

    def run(self) -> int:
        """Load, open the ports, answer until told to stop, end. Returns the exit code. Raises: ApplianceError."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        threads = [
            self._started("manager", partial(self._core.manage, self._stop)),
            self._started("source", partial(self._core.watch, self._stop)),
        ]
        try:
            if self._load():
                threads += self._watch_config()
                self._ports.open()
                self._serve()
        finally:
            left = self._shut_down(threads)
        if left:
            _end_now(self._exit_code)
        return self._exit_code

    def _load(self) -> bool:
        """Wait for the models; False where we were told to stop meanwhile."""
        try:
            self._core.start(self._first_config)
        except RequestError:
            if self._stop.is_set():
                return False
            raise
        self._cores.settle()
        gc.collect()
        gc.freeze()  # what was built to stay is never looked through again
        return True

    def _watch_config(self) -> list[threading.Thread]:
        interval_s = self._values.whole("model_config_file_poll_wait_seconds")
        if self._config_file is None or interval_s <= 0:
            return []
        return [self._started("config-file", partial(self._config_file.watch, self._stop, interval_s))]

    def _started(self, name: str, body: Callable[[], None]) -> threading.Thread:
        """A thread of ours. One that dies of a bug takes the process with it: whoever watches it starts it again."""

        def live() -> None:
            try:
                body()
            except Exception:  # the boundary: the last one there is
                logger.exception("the thread %s died of a bug: the server stops", name)
                self._exit_code = 1
                self._end()

        thread = threading.Thread(target=live, name=name, daemon=True)
        thread.start()
        return thread

    def _serve(self) -> None:
        """Until told to stop; SIGHUP reads the configuration again."""
        systemd.ready(f"serving {', '.join(self._core.models()) or 'no model yet'}")
        while self._next() != "end":
            self._reload()

    def _next(self) -> Literal["reload", "end"]:
        """What is asked of us. It looks up now and then: a signal that comes just before a wait does not end it."""
        while True:
            with suppress(Empty):
                return self._asked.get(timeout=_LOOK_UP_S)

    def _reload(self) -> None:
        if self._config_file is None:
            logger.warning("SIGHUP: there is no --model_config_file to read again")
            return
        systemd.reloading()
        self._config_file.apply(forced=True)
        systemd.ready(f"serving {', '.join(self._core.models()) or 'no model'}")

    def _shut_down(self, threads: list[threading.Thread]) -> bool:
        """Answer what is under way, unload, end the threads. True where something did not end in time."""
        systemd.stopping("stopping")
        self._core.close()
        end_s = time.monotonic() + max(0.0, self._values.real("exit_timeout_s"))
        logger.info("Stopping: no new requests; those under way are answered")
        self._ports.close(end_s - time.monotonic())
        self._stop.set()
        for thread in threads:
            thread.join(_UNLOAD_S)
        left = bool(self._cores.manager.stop(max(_UNLOAD_S, end_s - time.monotonic())))
        if self._batcher is not None:
            self._batcher.stop(1.0)
        logger.info("Stopped")
        return left or any(thread.is_alive() for thread in threads)

    def _plane(self) -> DataPlane:
        own = None if self._own_batching is None else self._own_batching.of
        backend = LocalBackend(self._cores.manager, self._core.labels, self._batcher, own)
        return DataPlane(
            backend, self._metrics, check_method_names=self._values.yes("enable_signature_method_name_check")
        )

    def _loader(self, _new: ServableId, folder: Path) -> ServedLoader:
        inner = SavedModelLoader(folder, self._runtime, self._replay)
        return ServedLoader(inner, folder, self._metrics, self._own_batching)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._asked.put("reload")
        else:
            self._end()

    def _end(self) -> None:
        """Also from a signal's handler: nobody waits for these events on the main thread."""
        self._stop.set()
        self._core.close()
        self._asked.put("end")


def _end_now(code: int) -> None:
    """A request that never ends, or a loader, must not keep the process: its time is over."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
