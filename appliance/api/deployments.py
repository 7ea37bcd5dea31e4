"""Deliveries over REST: reading for everybody who reaches the port, changes for those whom access.py lets.

Reading is answered from the newest document in memory and waits for nobody, but for `?wait_s=`, which few may use at
once. Changes are the delivery process' to decide; this translates, and keeps a thread for the health pages.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Response, request

from appliance.api.access import Access
from appliance.api.steered import RETRY_S, Ask, Instead, Steered, Turns, answered, body_of, seconds_of, with_headers
from appliance.steering.document import find
from appliance.steering.newest import Newest, Seen, tag_of
from appliance.steering.requests import Answer, Verb

WAIT_MAX_S: Final = 30.0
NOT_DELIVERED: Final = "No model of this box comes from a registry; add [models.NAME.delivery] to its configuration."

_OF_A_DEPLOYMENT: Final = (Verb.CANCEL, Verb.APPROVE, Verb.ROLLBACK)
_OF_ITS_MODEL: Final = (Verb.PAUSE, Verb.RESUME)
_OF_A_MODEL: Final = (Verb.ROLLBACK, Verb.PAUSE, Verb.RESUME, Verb.LOOK, Verb.CANCEL, Verb.APPROVE)


class Deployments:
    """The views. They may run on any number of threads."""

    def __init__(self, newest: Newest, ask: Ask, access: Access, turns: Turns, *, delivered: bool = True) -> None:
        """`delivered`: the box has such models."""
        self._newest = newest
        self._steered = Steered(ask, access, turns)
        self._turns = turns
        self._delivered = delivered

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

    def overview(self) -> Response:
        """The document; 304 where the caller has it, at once or after `wait_s`."""
        wait_s = seconds_of("wait_s", WAIT_MAX_S)
        seen = self._newest.now()
        if wait_s and seen.tag.strip('"') in request.if_none_match:
            seen, refused = self._wait(seen.tag, wait_s)
            if refused:
                return with_headers(_not_modified(seen.tag), {"Retry-After": str(RETRY_S)})
        document = self._document(seen)
        return _tagged(document, seen.tag)

    def show(self, deployment: str) -> Response:
        found = self._found(deployment)
        return _tagged(found, tag_of(found))

    def audit(self) -> Response:
        limit = request.args.get("limit", "100")
        if not limit.isdecimal():
            raise Instead(422, "limit is a whole number.")
        return answered(self._asked(Verb.AUDIT, request.args.get("model"), {"limit": int(limit)}))

    def create(self) -> Response:
        body = self._change()
        model = body.pop("model", None)
        if "by_wish" in body:
            raise Instead(422, "by_wish is for the retained message desired.")
        return _located(self._asked(Verb.CREATE, model, body))

    def look_at_all(self) -> Response:
        return answered(self._asked(Verb.LOOK, None, self._change()))

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
        return answered(self._asked(Verb.PIN, model, self._change()))

    def unpin(self, model: str) -> Response:
        return answered(self._asked(Verb.UNPIN, model, self._change()))

    def _view(self, view: Callable[..., Response]) -> Callable[..., Response]:
        def answer(**parts: str) -> Response:
            if not self._delivered:
                raise Instead(404, NOT_DELIVERED)
            return view(**parts)

        return self._steered.view(answer)

    def _wait(self, tag: str, wait_s: float) -> tuple[Seen, bool]:
        """How it stands after the wait; and whether there was no room to wait."""
        with self._turns.to_wait() as may_wait:
            return (self._newest.wait(tag, wait_s), False) if may_wait else (self._newest.now(), True)

    def _document(self, seen: Seen) -> Mapping[str, Any]:
        if seen.document is None:
            raise Instead(503, seen.problem or "")
        return seen.document

    def _found(self, deployment: str) -> Mapping[str, Any]:
        """From the document where it is there, or else from the delivery process."""
        found = find(self._document(self._newest.now()), deployment)
        if found is not None:
            return found
        answer = self._asked(Verb.SHOW, None, {"id": deployment})
        if answer.status != 200:
            raise Instead(answer.status, str(answer.body.get("error")))
        return answer.body

    def _change(self, own_tag: Callable[[], str] | None = None) -> dict[str, Any]:
        """The body of a change that may be made by its caller, and on what he has seen."""
        self._steered.who()
        body = body_of()
        if request.if_match and "*" not in request.if_match.as_set():
            tag = own_tag() if own_tag is not None else self._newest.now().tag
            if tag.strip('"') not in request.if_match:
                raise Instead(412, "It has changed since you looked (If-Match): look again, and decide anew.")
        return body

    def _asked(self, verb: Verb, model: str | None, body: Mapping[str, Any]) -> Answer:
        return self._steered.asked(verb, body, model=model)


def _verb(text: str, allowed: tuple[Verb, ...]) -> Verb:
    if text not in {verb.value for verb in allowed}:
        raise Instead(404, f"There is no {text[:40]!r} here; there are {', '.join(verb.value for verb in allowed)}.")
    return Verb(text)


def _located(answer: Answer) -> Response:
    """With the deployment's place, where the answer is one."""
    response = answered(answer)
    if answer.status < 300 and isinstance(answer.body.get("id"), str):
        response.headers["Location"] = f"/deployments/{answer.body['id']}"
    return response


def _tagged(value: Mapping[str, Any], tag: str) -> Response:
    if tag.strip('"') in request.if_none_match:
        return _not_modified(tag)
    return with_headers(answered(Answer(200, value)), {"ETag": tag})


def _not_modified(tag: str) -> Response:
    return with_headers(Response(status=304), {"ETag": tag})
