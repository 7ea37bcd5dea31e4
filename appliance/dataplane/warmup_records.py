"""Recorded requests, replayed before a version serves: `assets.extra/tf_serving_warmup_requests`.

What saved_model_warmup_util.cc does, and in its words: at most 1000 records, and one that fails is the end of the load.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError

from appliance.dataplane.backend import Borrowed
from appliance.dataplane.errors import Code, RequestError
from appliance.dataplane.examples import examples_of
from appliance.dataplane.local import LocalBorrowed
from appliance.dataplane.metrics import LATENCY_US, MODEL_WARMUP_LATENCY, Metrics
from appliance.dataplane.plane import DataPlane
from appliance.dataplane.predict import TensorInputs
from appliance.dataplane.spec import ModelSpec, Task
from appliance.dataplane.tfrecord import records_of
from appliance.protos import message
from appliance.runtimes.errors import WarmUpFailed
from appliance.runtimes.model import Model
from appliance.runtimes.warmup import WARM_UP_FILE
from appliance.serving import ServableId, ServableState

RECORDS_MAX: Final = 1000
_SHOWN_BYTES: Final = 1024
_UNSUPPORTED: Final = ("session_run_log", "predict_streamed_log")


def replayer(metrics: Metrics, iterations: int = 1) -> Callable[[Model, Path], int]:
    """What SavedModelLoader takes as `replay`: each record is run `iterations` times."""
    return partial(replay, metrics=metrics, iterations=iterations)


def replay(model: Model, folder: Path, *, metrics: Metrics, iterations: int = 1) -> int:
    """Run the requests that are recorded in a version's folder; return how many there are, 0 where there is no file.

    Takes as long as the model takes for them. Raises: WarmUpFailed, OSError.
    """
    file = folder / WARM_UP_FILE
    if not file.is_file():
        return 0
    started = time.monotonic()
    try:
        count = _replay(model, file, iterations)
    except RequestError as error:
        _note(metrics, folder, started, f"{error.code.name}: {error}")
        raise WarmUpFailed(_sentence(error), error.code) from error
    _note(metrics, folder, started, "OK")
    return count


def _replay(model: Model, file: Path, iterations: int) -> int:
    """Raises: RequestError, OSError."""
    backend = _OneModel(model)
    plane = DataPlane(backend, Metrics())  # of its own: these are nobody's requests
    count = 0
    for record in records_of(file):
        log = _parsed(record, file)
        for _ in range(iterations):
            _run(plane, backend.borrowed, log)
        count += 1
        if count > RECORDS_MAX:
            raise RequestError(
                Code.INVALID_ARGUMENT, f"Number of warmup records exceeds the maximum ({RECORDS_MAX}) at {file}"
            )
    return count


def _parsed(record: bytes, file: Path) -> Any:
    try:
        return message("tensorflow.serving.PredictionLog").FromString(record)
    except DecodeError as error:
        shown = record[:_SHOWN_BYTES].decode(errors="replace")
        raise RequestError(Code.INVALID_ARGUMENT, f"Failed to parse warmup record: {shown} from {file}") from error


def _run(plane: DataPlane, borrowed: Borrowed, log: Any) -> None:
    """One record, as the request that it was; whichever model and version it names. Raises: RequestError."""
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind in _UNSUPPORTED:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise RequestError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")
    request = getattr(log, kind).request
    match kind:
        case "predict_log":
            key = request.model_spec.signature_name
            plane.predict(borrowed, key, TensorInputs(request.inputs), tuple(request.output_filter))
        case "classify_log":
            plane.classify(borrowed, request.model_spec.signature_name, examples_of(request.input))
        case "regress_log":
            plane.regress(borrowed, request.model_spec.signature_name, examples_of(request.input))
        case _:
            plane.multi_inference([_task(task) for task in request.tasks], examples_of(request.input))


def _task(given: Any) -> Task:
    spec = ModelSpec(given.model_spec.name, signature=given.model_spec.signature_name)
    return Task(spec, given.method_name)


def _sentence(error: RequestError) -> str:
    if error.code is Code.DATA_LOSS:
        return f"{error}. Please verify your warmup data is in TFRecord format."
    return str(error)


def _note(metrics: Metrics, folder: Path, started: float, status: str) -> None:
    took_us = (time.monotonic() - started) * 1e6
    metrics.sample(MODEL_WARMUP_LATENCY, took_us, LATENCY_US, model_path=str(folder), status=status)


class _OneModel:
    """A Backend that lends one model, whatever is asked for: it does not serve yet."""

    def __init__(self, model: Model) -> None:
        self.borrowed: Borrowed = LocalBorrowed(ServableId("warm-up", 1), model)

    @contextmanager
    def borrow(self, name: str, version: int | None) -> Iterator[Borrowed]:
        yield self.borrowed

    def labels(self, name: str) -> Mapping[str, int]:
        return {}

    def states(self, name: str | None = None) -> Sequence[ServableState]:
        return ()
