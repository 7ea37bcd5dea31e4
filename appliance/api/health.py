"""The box's HTTP face: how it is, what it serves, its figures. Read-only, but for deployments.py, line.py and
replays.py; it translates the board and nothing else.

Every error answer is JSON with one sentence under `error`. Nothing here waits: an answer is computed from one
snapshot, so a probe learns about a line that hangs and does not hang with it.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from flask import Flask, Response, request
from jinja2 import Template
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from appliance.api import index, metrics, model_status
from appliance.api.board import LINE_SILENT_AFTER_S, Board, Overview
from appliance.api.deployments import Deployments
from appliance.api.line import LineViews
from appliance.api.page import PAGE
from appliance.api.replays import ReplayViews
from appliance.health import DeviceHealth
from appliance.outbox.consumers import ConsumerLag
from appliance.status import CameraStatus, OutboxStatus

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_SCHEMA: Final = "application/schema+json"
_SCHEMAS: Final = "schema/"
_ASYNCAPI: Final = "application/vnd.aai.asyncapi+json;version=3.0.0"
_NOT_INSPECTING: Final = (DeviceHealth.FAILURE, DeviceHealth.CHECK_FUNCTION)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
}


def create_app(
    board: Board,
    *,
    version: str,
    documents: Mapping[str, bytes] = MappingProxyType({}),
    now_ns: Callable[[], int] = time.monotonic_ns,
    deployments: Deployments | None = None,
    line: LineViews | None = None,
    replays: ReplayViews | None = None,
) -> Flask:
    """The WSGI application. Its views may run on any number of threads.

    `version` is the appliance's own. `documents`: what is served as it is, by path: `asyncapi.json`, and schemas such
    as `schema/result.json`. `deployments`, `line` and `replays`: the views that steer deliveries, the line and the
    gateway; without them nothing here can be changed.
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a doubled slash is a mistake to hear about, not a redirect
    views = _Views(
        lambda: board.overview(now_ns()),
        version,
        metrics.exposition(board, version=version, now_ns=now_ns),
        app.jinja_env.from_string(PAGE),
    )
    for path, view in {
        "/": views.index,
        "/healthz": views.healthz,
        "/livez": views.livez,
        "/readyz": views.readyz,
        "/metrics": views.metrics,
    }.items():
        app.add_url_rule(path, view_func=view, methods=["GET"])
    _serve(app, documents)
    if deployments is not None:
        deployments.register(app)
    if line is not None:
        line.register(app)
    if replays is not None:
        replays.register(app)
    app.before_request(views.models_and_verbs)
    app.register_error_handler(HTTPException, _refused)
    app.after_request(_guarded)
    return app


@dataclass(frozen=True, slots=True)
class _Views:
    overview: Callable[[], Overview]
    version: str
    scrape: Callable[[], bytes]
    page: Template

    def models_and_verbs(self) -> Response | None:
        """What is settled before the path is looked up: all of /v1/, and verbs that nothing here answers."""
        target = request.environ.get("REQUEST_URI") or request.path
        if model_status.is_about_models(target):
            now = self.overview()
            models = now.line.models if now.live and now.line is not None else None
            answer = model_status.answer(request.method, target, models)
            return _response(answer.status, answer.body)
        if request.method not in {"GET", "HEAD"} and not _is_answered():
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, f"Only GET and HEAD are answered here, not {request.method}.")
        return None

    def index(self) -> Response:
        text = self.page.render(index.view(self.overview(), self.version))
        return _response(HTTPStatus.OK, text, "text/html; charset=utf-8")

    def healthz(self) -> Response:
        now = self.overview()
        failed = now.device_health is DeviceHealth.FAILURE
        status = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
        return _response(status, _json(health_report(now, self.version)))

    def livez(self) -> Response:
        now = self.overview()
        if now.live:
            return _response(HTTPStatus.OK, "ok\n", _TEXT)
        return _unavailable(now, f"The line has not reported for {LINE_SILENT_AFTER_S:g} s, or never has.")

    def readyz(self) -> Response:
        now = self.overview()
        if now.ready:
            return _response(HTTPStatus.OK, "ok\n", _TEXT)
        return _unavailable(now, "Parts that come now are not judged, and the line gives no reason.")

    def metrics(self) -> Response:
        return _response(HTTPStatus.OK, self.scrape(), metrics.CONTENT_TYPE)


def _serve(app: Flask, documents: Mapping[str, bytes]) -> None:
    """Each at its path, as it is; `/schema/` lists the schemas."""
    for path, content in documents.items():
        kind = _SCHEMA if path.startswith(_SCHEMAS) else _ASYNCAPI
        app.add_url_rule(
            f"/{path}", view_func=partial(_response, HTTPStatus.OK, content, kind), methods=["GET"], endpoint=f"/{path}"
        )
    listed = _json({"schemas": [f"/{path}" for path in sorted(documents) if path.startswith(_SCHEMAS)]})
    app.add_url_rule(
        f"/{_SCHEMAS}", view_func=partial(_response, HTTPStatus.OK, listed), methods=["GET"], endpoint="schemas"
    )


def _is_answered() -> bool:
    """Whether this path has a view for this verb, or at least for another one that changes something."""
    if request.method == "OPTIONS":  # what a browser asks before a page of another host may change something
        return False
    return request.url_rule is not None or bool(_allowed(request.routing_exception) - {"GET", "HEAD"})


def _allowed(error: HTTPException | None) -> set[str]:
    known = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    return set(known or ()) - {"OPTIONS"}


def _refused(error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed):
        verbs = ", ".join(sorted(_allowed(error)))
        response = _error(HTTPStatus.METHOD_NOT_ALLOWED, f"Only {verbs} are answered here, not {request.method}.")
        response.headers["Allow"] = verbs
        return response
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    if status is HTTPStatus.NOT_FOUND:
        return _error(status, f"There is nothing at {request.path}; / lists what is here.")
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:  # Flask has logged the trace
        return _error(status, "This answer failed by a fault of the software; its trace is in the journal.")
    return _error(status, error.description or status.phrase)


def _guarded(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers.setdefault("Allow", "GET, HEAD")
    return response


def health_report(overview: Overview, version: str) -> dict[str, Any]:
    """What `/healthz` shows; while the line does not report, it is what the line said last, `line.age_ms` ago."""
    line = overview.line
    return {
        **overview.health_json(),
        "station": None if line is None else line.station,
        "version": version,
        "line": {
            "live": overview.live,
            "ready": overview.ready,
            "phase": None if line is None else line.phase,
            "started": None if line is None else line.started_utc,
            "age_ms": None if overview.line_age_s is None else _ms(overview.line_age_s),
        },
        "models": [] if line is None else [asdict(one) for one in line.models],
        "cameras": {} if line is None else {name: _camera(one) for name, one in line.cameras.items()},
        "groups": {} if line is None else {name: _group(one) for name, one in line.groups.items()},
        "outbox": None if line is None or line.outbox is None else _outbox(line.outbox),
        "mqtt": None if overview.mqtt is None else asdict(overview.mqtt),
        "consumers": [_consumer(one) for one in overview.consumers],
    }


def _group(one: CameraStatus) -> dict[str, Any]:
    return {
        "state": one.state,
        "detail": one.detail,
        "parts": one.parts,
        "passed": one.passed,
        "evaluations": one.evaluations,
        "reasons": one.reasons,
        "deadline_missed": one.deadline_missed,
    }


def _camera(one: CameraStatus) -> dict[str, Any]:
    return {
        **_group(one),
        "lost": one.lost,
        "skipped": one.skipped,
        "counters": one.counters,
        "recipe": one.recipe or None,
        "job_id": one.job_id,
        "driver": one.driver or None,
        "model": one.model or None,
        "serial": one.serial or None,
        "notes": one.notes,
    }


def _outbox(one: OutboxStatus) -> dict[str, Any]:
    value = asdict(one)
    value["oldest_age_ms"] = _ms(value.pop("oldest_age_s"))
    kept_age_s = value.pop("kept_age_s")
    value["kept_age_ms"] = None if kept_age_s is None else _ms(kept_age_s)
    return value


def _consumer(one: ConsumerLag) -> dict[str, Any]:
    value = asdict(one)
    value["behind_ms"] = _ms(value.pop("behind_s"))
    return value


def _ms(duration_s: float) -> float:
    return round(duration_s * 1000, 1)


def _unavailable(overview: Overview, otherwise: str) -> Response:
    stops_parts = (reason.message for reason in overview.reasons if reason.health in _NOT_INSPECTING)
    body = {"error": next(stops_parts, otherwise), "reasons": overview.health_json()["reasons"]}
    return _response(HTTPStatus.SERVICE_UNAVAILABLE, _json(body))


def _error(status: HTTPStatus, sentence: str) -> Response:
    return _response(status, _json({"error": sentence}))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _response(status: HTTPStatus, body: str | bytes, content_type: str = _JSON) -> Response:
    return Response(body, status=status, content_type=content_type)
