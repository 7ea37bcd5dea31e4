"""Deliveries over REST: reading for everybody who reaches the port, changes for those whom access.py lets.

Reading is answered from the newest document in memory and waits for nobody, but for `?wait_s=`, which few may use at
once. Changes are the delivery process' to decide; this translates, and keeps a thread for the health pages.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask, Response, request

from appliance.api.access import Access, Asked, Denied
from appliance.steering.document import SCHEMA_PATH, find
from appliance.steering.errors import BadRequest
from appliance.steering.newest import Newest, Seen, tag_of
from appliance.steering.requests import Answer, Request, Verb

WAIT_MAX_S: Final = 30.0
WAITERS_MAX: Final = 2
BODY_MAX_BYTES: Final = 16_384
ASK_S: Final = 5.0
"""For the delivery process to answer one request."""
_TURN_S: Final = 0.5
_RETRY_S: Final = 2
_JSON: Final = "application/json"
NOT_DELIVERED: Final = "No model of this box comes from a registry; add [models.NAME.delivery] to its configuration."

_OF_A_DEPLOYMENT: Final = (Verb.CANCEL, Verb.APPROVE, Verb.ROLLBACK)
_OF_ITS_MODEL: Final = (Verb.PAUSE, Verb.RESUME)
_OF_A_MODEL: Final = (Verb.ROLLBACK, Verb.PAUSE, Verb.RESUME, Verb.LOOK, Verb.CANCEL, Verb.APPROVE)

Ask = Callable[[Request, float], Answer]


class _Instead(Exception):
    """Answer this and go no further: the way out of a view's middle."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = Answer.refusal(status, sentence)


class Deployments:
    """The views. They may run on any number of threads."""

    def __init__(self, newest: Newest, ask: Ask, access: Access, *, threads: int, delivered: bool = True) -> None:
        """`threads`: of the HTTP server, of which one always stays free. `delivered`: the box has such models."""
        self._newest = newest
        self._ask = ask
        self._access = access
        self._delivered = delivered
        self._waiters = threading.BoundedSemaphore(max(1, min(WAITERS_MAX, threads - 2)))
        self._may_wait = threads > 2  # one waits, one changes, one is for the health pages
        self._asking = threading.BoundedSemaphore(max(1, threads - 1 - WAITERS_MAX))

    def register(self, app: Flask) -> None:
        """Add the paths."""
        app.add_url_rule("/deployments", view_func=self._view(self.overview), methods=["GET"], endpoint="deployments")
        for path, verb, view in (
            ("/deployments/audit", "GET", self.audit),
            ("/deployments/<deployment>", "GET", self.show),
            ("/deployments", "POST", self.create),
            ("/deployments/look", "POST", self.look_at_all),
            ("/deployments/<deployment>/<verb>", "POST", self.change_deployment),
            ("/models/<model>/<verb>", "POST", self.change_model),
            ("/models/<model>/pin", "PUT", self.pin),
            ("/models/<model>/pin", "DELETE", self.unpin),
        ):
            app.add_url_rule(path, view_func=self._view(view), methods=[verb], endpoint=f"{verb} {path}")
        schema = SCHEMA_PATH.read_bytes()
        app.add_url_rule(
            "/schema/deployment.json",
            view_func=lambda: Response(schema, content_type="application/schema+json"),
            methods=["GET"],
            endpoint="deployment-schema",
        )

    def overview(self) -> Response:
        """The document; 304 where the caller has it, at once or after `wait_s`."""
        wait_s = _seconds("wait_s", WAIT_MAX_S)
        seen = self._newest.now()
        if wait_s and seen.tag.strip('"') in request.if_none_match:
            seen, refused = self._wait(seen.tag, wait_s)
            if refused:
                return _with(_not_modified(seen.tag), {"Retry-After": str(_RETRY_S)})
        document = self._document(seen)
        return _tagged(document, seen.tag)

    def show(self, deployment: str) -> Response:
        found = self._found(deployment)
        return _tagged(found, tag_of(found))

    def audit(self) -> Response:
        limit = request.args.get("limit", "100")
        if not limit.isdecimal():
            raise _Instead(422, "limit is a whole number.")
        return _answered(self._asked(Verb.AUDIT, request.args.get("model"), {"limit": int(limit)}))

    def create(self) -> Response:
        body = self._change()
        model = body.pop("model", None)
        if "by_wish" in body:
            raise _Instead(422, "by_wish is for the retained message desired.")
        return _located(self._asked(Verb.CREATE, model, body))

    def look_at_all(self) -> Response:
        return _answered(self._asked(Verb.LOOK, None, self._change()))

    def change_deployment(self, deployment: str, verb: str) -> Response:
        asked = _verb(verb, (*_OF_A_DEPLOYMENT, *_OF_ITS_MODEL))
        body = self._change(lambda: tag_of(self._found(deployment)))
        model = self._found(deployment)["model"]
        if asked in _OF_A_DEPLOYMENT:
            body["id"] = deployment
        return _located(self._asked(asked, model, body))

    def change_model(self, model: str, verb: str) -> Response:
        asked = _verb(verb, _OF_A_MODEL)
        return _located(self._asked(asked, model, self._change()))

    def pin(self, model: str) -> Response:
        return _answered(self._asked(Verb.PIN, model, self._change()))

    def unpin(self, model: str) -> Response:
        return _answered(self._asked(Verb.UNPIN, model, self._change()))

    def _view(self, view: Callable[..., Response]) -> Callable[..., Response]:
        def answer(**parts: str) -> Response:
            if not self._delivered:
                return _answered(Answer.refusal(404, NOT_DELIVERED))
            try:
                return view(**parts)
            except _Instead as instead:
                return _answered(instead.answer)
            except BadRequest as error:
                return _answered(Answer.refusal(422, str(error)))
            except Denied as error:
                response = _answered(Answer.refusal(error.status, str(error)))
                if error.status == 401:
                    response.headers["WWW-Authenticate"] = "Bearer"
                return response

        return answer

    def _wait(self, tag: str, wait_s: float) -> tuple[Seen, bool]:
        """How it stands after the wait; and whether there was no room to wait."""
        if not self._may_wait or not self._waiters.acquire(blocking=False):
            return self._newest.now(), True
        try:
            return self._newest.wait(tag, wait_s), False
        finally:
            self._waiters.release()

    def _document(self, seen: Seen) -> Mapping[str, Any]:
        if seen.document is None:
            raise _Instead(503, seen.problem or "")
        return seen.document

    def _found(self, deployment: str) -> Mapping[str, Any]:
        """From the document where it is there, or else from the delivery process."""
        found = find(self._document(self._newest.now()), deployment)
        if found is not None:
            return found
        answer = self._asked(Verb.SHOW, None, {"id": deployment})
        if answer.status != 200:
            raise _Instead(answer.status, str(answer.body.get("error")))
        return answer.body

    def _change(self, own_tag: Callable[[], str] | None = None) -> dict[str, Any]:
        """The body of a change that may be made by its caller, and on what he has seen."""
        self._who()
        body = _body()
        if request.if_match and "*" not in request.if_match.as_set():
            tag = own_tag() if own_tag is not None else self._newest.now().tag
            if tag.strip('"') not in request.if_match:
                raise _Instead(412, "It has changed since you looked (If-Match): look again, and decide anew.")
        return body

    def _who(self) -> str:
        return self._access.who(
            Asked(
                request.remote_addr,
                request.host,
                request.headers.get("Origin"),
                request.headers.get("Content-Type"),
                request.headers.get("Authorization"),
                request.headers.get("From"),
            )
        )

    def _asked(self, verb: Verb, model: str | None, body: Mapping[str, Any]) -> Answer:
        who = "reader" if request.method == "GET" else self._who()
        wanted = Request(
            verb,
            model,
            body,
            who=who,
            source=f"rest {request.remote_addr}",
            key=None if request.method == "GET" else request.headers.get("Idempotency-Key"),
        )
        with self._turn():
            return self._ask(wanted, ASK_S)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """So many wait for the delivery process at most; the health pages have to answer whatever it does."""
        if not self._asking.acquire(timeout=_TURN_S):
            raise _Instead(503, "Another change is being made just now; try again.")
        try:
            yield
        finally:
            self._asking.release()


def _verb(text: str, allowed: tuple[Verb, ...]) -> Verb:
    if text not in {verb.value for verb in allowed}:
        raise _Instead(404, f"There is no {text[:40]!r} here; there are {', '.join(verb.value for verb in allowed)}.")
    return Verb(text)


def _body() -> dict[str, Any]:
    if (request.content_length or 0) > BODY_MAX_BYTES:
        raise _Instead(413, f"The body has more than {BODY_MAX_BYTES} bytes.")
    raw = request.get_data(cache=False)
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise _Instead(400, "The body is no JSON.") from None
    if not isinstance(value, dict):
        raise _Instead(422, "The body is a JSON object.")
    return value


def _seconds(name: str, most: float) -> float:
    text = request.args.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise _Instead(422, f"{name} is a number of seconds from 0 to {most:g}.")
    return value


def _answered(answer: Answer) -> Response:
    text = json.dumps(answer.body, indent=2, ensure_ascii=False) + "\n"
    response = Response(text, status=answer.status, content_type=_JSON)
    if answer.status == 503:
        response.headers["Retry-After"] = str(_RETRY_S)
    return response


def _located(answer: Answer) -> Response:
    """With the deployment's place, where the answer is one."""
    response = _answered(answer)
    if answer.status < 300 and isinstance(answer.body.get("id"), str):
        response.headers["Location"] = f"/deployments/{answer.body['id']}"
    return response


def _tagged(value: Mapping[str, Any], tag: str) -> Response:
    if tag.strip('"') in request.if_none_match:
        return _not_modified(tag)
    return _with(_answered(Answer(200, value)), {"ETag": tag})


def _not_modified(tag: str) -> Response:
    return _with(Response(status=304), {"ETag": tag})


def _with(response: Response, headers: Mapping[str, str]) -> Response:
    response.headers.update({"Cache-Control": "no-cache", **headers})
    return response
