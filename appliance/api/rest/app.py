"""Who answers which path: TensorFlow Serving's surface as it is, and ours beside it. A plain WSGI application."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from appliance.api.rest.calls import Calls
from appliance.api.rest.inference import OpenInference
from appliance.api.rest.models import Models
from appliance.api.rest.path import is_under_v1
from appliance.api.rest.request import Answer, BodyTooLarge, Request, StartResponse
from appliance.api.rest.settings import RestSettings
from appliance.api.rest.writing import error_text
from appliance.dataplane import DataPlane

log = logging.getLogger(__name__)

_NOT_FOUND: Final = Answer(
    404,
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n",
    "text/html",
)
"""As libevent words it."""
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


class RestApp:
    """Threads: any."""

    def __init__(self, plane: DataPlane, settings: RestSettings) -> None:
        self._plane = plane
        self._settings = settings
        self._calls = Calls(plane, settings)
        self._models = Models(plane)
        self._inference = OpenInference(plane, settings) if settings.open_inference else None

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ, self._settings.body_max_bytes)
        answer = self._answer(request)
        sent = answer.send(start_response, _CORS if self._settings.cors else {})
        return [] if request.verb == "HEAD" else sent

    def _answer(self, request: Request) -> Answer:
        try:
            return self._answerer(request.path)(request)
        except BodyTooLarge:
            text = f"The body is larger than {self._settings.body_max_bytes} bytes, which is the most that is taken."
            return Answer(413, error_text(text).encode())
        except Exception:  # the boundary of a request: a defect is logged, and no client sees a traceback
            log.exception("%s %s could not be answered", request.verb, request.path[:200])
            return Answer(500, error_text("The server made a mistake; its log says which.").encode())

    def _answerer(self, path: str) -> Callable[[Request], Answer]:
        if is_under_v1(path):
            return self._v1
        if self._settings.prometheus_path is not None and path.partition("?")[0] == self._settings.prometheus_path:
            return self._metrics
        if self._inference is not None and self._inference.knows(path):
            return self._inference.answer
        if self._models.knows(path):
            return self._models.answer
        return lambda _: _NOT_FOUND

    def _v1(self, request: Request) -> Answer:
        if request.verb == "OPTIONS":  # a browser asks whether it may ask
            return Answer(200 if request.header("Origin").startswith(("http://", "https://")) else 400)
        return self._calls.answer(request)

    def _metrics(self, request: Request) -> Answer:
        wanted = self._settings.prometheus_path
        if request.path != wanted:
            return Answer(
                400,
                f"Unexpected path: {request.path}. Should be {wanted}".encode("utf-8", "surrogateescape"),
                "text/plain",
            )
        return Answer(200, self._plane.metrics.render().encode(), "text/plain")
