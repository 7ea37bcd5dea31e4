"""TensorFlow Serving's calls over REST: a request understood, answered from the data plane, counted."""

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from typing import Any, Final

from appliance.api.rest import writing
from appliance.api.rest.examples import examples_of
from appliance.api.rest.fragment import shown
from appliance.api.rest.path import Asked, VersionTooLarge, asked
from appliance.api.rest.picture import inputs_of_picture, is_picture
from appliance.api.rest.reading import read
from appliance.api.rest.request import Answer, Request
from appliance.api.rest.settings import RestSettings
from appliance.api.rest.status import metadata_text, status_text
from appliance.api.rest.tensors import arrays_of, invalid
from appliance.dataplane import Borrowed, Code, DataPlane, RequestError
from appliance.dataplane.metrics import LATENCY_US, REQUEST_COUNT, REQUEST_LATENCY
from appliance.runtimes.model import DEFAULT_SIGNATURE, Signature
from appliance.serving import ServableId

_LARGE_BYTES: Final = 8 << 20


class Calls:
    """Threads: any; a call blocks for as long as the model takes."""

    def __init__(self, plane: DataPlane, settings: RestSettings) -> None:
        self._plane = plane
        self._settings = settings
        self._one_at_a_time = threading.Lock()
        """Held while a large body is read: that may take ten times its memory for a moment."""

    def answer(self, request: Request) -> Answer:
        """Whatever was asked under /v1/, and whatever comes of it."""
        begun = time.perf_counter()
        name = ""
        try:
            wanted = asked(request.verb, request.path)
            name = wanted.spec.name
            text, servable = self._call(wanted, request)
        except VersionTooLarge:
            return Answer(Code.INVALID_ARGUMENT.http)
        except RequestError as error:
            self._count(name, error.code)
            return Answer(error.code.http, _encoded(writing.error_text(str(error))))
        self._count(name, Code.OK)
        if request.verb == "POST":
            took_us = (time.perf_counter() - begun) * 1e6
            self._plane.metrics.sample(
                REQUEST_LATENCY, took_us, LATENCY_US, model_name=_label(name), API=wanted.method, entrypoint="REST"
            )
        return Answer(200, _encoded(text), headers=who_answered(servable))

    def _count(self, name: str, code: Code) -> None:
        self._plane.metrics.count(REQUEST_COUNT, model_name=_label(name), status=code.name)

    def _call(self, wanted: Asked, request: Request) -> tuple[str, ServableId | None]:
        match wanted.method:
            case "status":
                return self._status(wanted), None
            case "metadata":
                _need_name(wanted)
                with self._plane.borrow(wanted.spec) as borrowed:
                    return metadata_text(borrowed), borrowed.id
            case "predict":
                return self._predict(wanted, request)
            case _:
                return self._by_examples(wanted, request)

    def _status(self, wanted: Asked) -> str:
        _need_name(wanted)
        return status_text(self._plane.states(wanted.spec.name, wanted.spec.version))

    def _predict(self, wanted: Asked, request: Request) -> tuple[str, ServableId]:
        deadline_s = time.monotonic() + self._settings.timeout_s
        body = request.body()
        if is_picture(request.header("Content-Type"), body):
            return self._look(wanted, body, deadline_s)
        with ExitStack() as held:
            held.enter_context(self._one_at_a_time if len(body) > _LARGE_BYTES else nullcontext())
            document = _document(body)
            key = _signature_name(document)
            with self._plane.borrow(wanted.spec) as borrowed:
                filled = arrays_of(document, _signature(borrowed, key).inputs)
                del body, document  # the model may take its time
                held.close()
                answer = self._plane.predict(borrowed, key, filled.inputs, deadline_s=deadline_s)
        write = writing.predictions if filled.by_rows else writing.outputs_by_column
        return write(answer.outputs), answer.id

    def _look(self, wanted: Asked, body: bytes, deadline_s: float) -> tuple[str, ServableId]:
        """A picture as the body, which TensorFlow Serving does not know: a batch of one."""
        with self._plane.borrow(wanted.spec) as borrowed:
            signature = _signature(borrowed, "")
            inputs = inputs_of_picture(body, signature, borrowed.outline.metadata, self._settings.picture_max_px)
            answer = self._plane.predict(borrowed, "", inputs, deadline_s=deadline_s)
        return writing.predictions(answer.outputs), answer.id

    def _by_examples(self, wanted: Asked, request: Request) -> tuple[str, ServableId]:
        deadline_s = time.monotonic() + self._settings.timeout_s
        document = _document(request.body())
        key = _signature_name(document)
        examples = examples_of(document)
        with self._plane.borrow(wanted.spec) as borrowed:
            if wanted.method == "classify":
                classified = self._plane.classify(borrowed, key, examples, deadline_s=deadline_s)
                return writing.classifications(classified.examples), classified.id
            regressed = self._plane.regress(borrowed, key, examples, deadline_s=deadline_s)
            return writing.regressions(regressed.values), regressed.id


def who_answered(servable: ServableId | None) -> Mapping[str, str]:
    """Headers that TensorFlow Serving lacks: its answers do not say which version gave them."""
    return {} if servable is None else {"X-Model-Version": str(servable.version)}


def _document(body: bytes) -> dict[str, Any]:
    document = read(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown(document)} Is not object")
    return document


def _signature_name(document: Mapping[str, Any]) -> str:
    name = document.get("signature_name", b"")
    if not isinstance(name, bytes):
        raise invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name.decode("utf-8", "surrogateescape")


def _signature(borrowed: Borrowed, key: str) -> Signature:
    """What the request has to fill. Raises: RequestError, in other words than over gRPC."""
    name = key or DEFAULT_SIGNATURE
    signature = borrowed.outline.signatures.get(name)
    if signature is None and name in borrowed.outline.signature_defs:
        raise RequestError(Code.UNIMPLEMENTED, f'Serving signature "{name}" has tensors that are not supported here.')
    if signature is None:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {key or 'DEFAULT'}")
    return signature


def _need_name(wanted: Asked) -> None:
    # there is no list of all models, as there is none over gRPC
    if not wanted.spec.name:
        raise invalid("Missing model name in request.")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _label(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
