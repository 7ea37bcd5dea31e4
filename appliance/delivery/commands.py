"""What operators ask, done: each request of steering answered from the models, and written to the audit log."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from appliance.delivery.document import document_of
from appliance.delivery.model import ModelDelivery
from appliance.delivery.records import Records
from appliance.errors import ApplianceError
from appliance.registry.deployments.dedupe import Answers, KeyConflict
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import Approved, Canceled, Disappointed
from appliance.registry.deployments.states import BEFORE_SWITCH, State
from appliance.registry.deployments.wishes import read_desired
from appliance.registry.remote.reference import ReferenceUnusable
from appliance.steering.requests import READING, Answer, Request, Verb

_ANSWERS: Final = "answers"
_SOON_S: Final = 2.0


class Commands:
    """Threads: handle() is called by one at a time."""

    def __init__(self, station: str, models: Mapping[str, ModelDelivery]) -> None:
        """`models` by name; at least one."""
        self._station = station
        self._models = models
        self._memory: Records = next(iter(models.values())).records
        self._answers = Answers.from_json(self._memory.noted(_ANSWERS) or {})
        self._bodies: Mapping[Verb, Callable[[ModelDelivery, Request], Answer]] = {
            Verb.CREATE: _create,
            Verb.CLEAR: _clear,
            Verb.CANCEL: _cancel,
            Verb.APPROVE: _approve,
            Verb.ROLLBACK: _roll_back,
            Verb.PIN: _pin,
            Verb.UNPIN: _unpin,
            Verb.PAUSE: _pause,
            Verb.RESUME: _resume,
        }

    def handle(self, request: Request) -> Answer:
        """Raises: ApplianceError, which is a 503."""
        if request.verb in READING:
            return self._read(request)
        if request.key is None:
            return self._change(request)
        key = f"{request.verb.value} {request.model or ''} {request.key}"[:128]
        body = json.dumps(request.body, sort_keys=True).encode()
        try:
            known = self._answers.recall(key, body, time.time())
        except KeyConflict as error:
            return Answer.refusal(409, str(error))
        if known is not None:
            return Answer(200 if known["status"] == 202 else known["status"], known["body"])
        answer = self._change(request)
        if answer.status < 500:
            self._answers.remember(key, body, {"status": answer.status, "body": dict(answer.body)}, time.time())
            self._memory.note(_ANSWERS, self._answers.as_json())
        return answer

    def document(self) -> dict[str, Any]:
        """The newest."""
        return document_of(self._station, list(self._models.values()))

    def _read(self, request: Request) -> Answer:
        if request.verb is Verb.OVERVIEW:
            return Answer(200, self.document())
        if request.verb is Verb.SHOW:
            found = next((one for one in self._all() if one["id"] == request.body["id"]), None)
            return Answer(200, found) if found else _unknown(request)
        limit = int(request.body.get("limit", 100))
        entries = [entry for model in self._chosen(request) for entry in model.store.audit.read(limit)]
        entries.sort(key=lambda entry: str(entry.get("at", "")), reverse=True)
        return Answer(200, {"entries": entries[:limit]})

    def _change(self, request: Request) -> Answer:
        if request.model is not None and request.model not in self._models:
            names = ", ".join(self._models)
            return Answer.refusal(404, f"No model {request.model!r} is delivered to this box; there is: {names}.")
        if request.verb is Verb.LOOK:
            chosen = self._chosen(request)
            for model in chosen:
                model.records.audit(request.who, request.source, "look")
                model.watcher.forget()
                model.watcher.look_now()
            return Answer(202, {"models": [model.model for model in chosen]})
        asked = self._of(request)
        if asked is None:
            return _unknown(request)
        return self._do(asked, request)

    def _do(self, model: ModelDelivery, request: Request) -> Answer:
        model.records.audit(request.who, request.source, request.verb.value, **request.body)
        try:
            return self._bodies[request.verb](model, request)
        except ReferenceUnusable as error:
            return Answer.refusal(422, str(error))

    def _chosen(self, request: Request) -> list[ModelDelivery]:
        return [model for name, model in self._models.items() if request.model in {None, name}]

    def _of(self, request: Request) -> ModelDelivery | None:
        """The model that is named, or whose deployment is."""
        if request.model is not None:
            return self._models[request.model]
        found = next((one for one in self._all() if one["id"] == request.body.get("id")), None)
        return None if found is None else self._models[found["model"]]

    def _all(self) -> list[Mapping[str, Any]]:
        document = self.document()
        return list(document["deployments"])


def _create(model: ModelDelivery, request: Request) -> Answer:
    body = {key: value for key, value in request.body.items() if key != "by_wish"}
    if not body.keys() & {"tag", "digest", "release"}:
        model.watcher.forget()
        model.watcher.look_now()
        return Answer(202, {"model": model.model})
    request_id = request.key or f"{request.who}-{time.time_ns()}"
    try:
        desired = read_desired(body, requested_by=request.who, request_id=request_id)
    except ApplianceError as error:
        return Answer.refusal(422, str(error))
    return Answer(202, model.want(desired, request.who, request.source).as_json())


def _clear(model: ModelDelivery, _request: Request) -> Answer:
    """A retained wish that is taken back changes nothing that was begun."""
    return Answer(200, {"model": model.model})


def _cancel(model: ModelDelivery, request: Request) -> Answer:
    live = model.courier.live
    if live is None or live.is_over or request.body.get("id", live.id) != live.id:
        return Answer.refusal(409, f"No deployment of {model.model} that could be canceled is under way.")
    if live.state not in BEFORE_SWITCH:
        return Answer.refusal(409, f"Release {live.release} serves already ({live.state.value}); roll it back instead.")
    model.course.happen(Canceled(request.who), request.who, request.source)
    return _soon(model, live, lambda now: now.state is not live.state)


def _approve(model: ModelDelivery, request: Request) -> Answer:
    live = model.courier.live
    if live is None or live.state not in BEFORE_SWITCH or request.body.get("id", live.id) != live.id:
        return Answer.refusal(409, f"No deployment of {model.model} waits for an approval.")
    model.course.happen(Approved(request.who, model.timing.may_change(live)), request.who, request.source)
    return _soon(model, live, lambda now: now.approved_by is not None)


def _roll_back(model: ModelDelivery, request: Request) -> Answer:
    live = model.courier.live
    if live is not None and live.state in {State.ACTIVATING, State.PROBATION}:
        if request.body.get("id", live.id) != live.id:
            return Answer.refusal(409, f"That deployment is not the newest; release {live.release} is in probation.")
        model.course.happen(Disappointed("operator", f"Rolled back by {request.who}."), request.who, request.source)
        return Answer(202, live.as_json())
    begun = model.go_back(request.who, request.source)
    if begun is None:
        return Answer.refusal(409, f"There is no release before the one that serves {model.model}; name one to start.")
    return Answer(202, begun.as_json())


def _pin(model: ModelDelivery, request: Request) -> Answer:
    with model.records.lock:
        current = model.store.current
    wanted = request.body.get("release", None if current is None else current.release)
    if wanted is None:
        return Answer.refusal(409, f"Nothing serves {model.model} that could be pinned.")
    if current is None or current.release != wanted:
        return Answer.refusal(
            409, f"Release {wanted} does not serve {model.model} now; start it first, and pin it when it serves."
        )
    model.records.learn(lambda facts: replace(facts, pinned=int(wanted), pinned_by=request.who))
    return _told(model, {"model": model.model, "pinned": wanted})


def _unpin(model: ModelDelivery, _request: Request) -> Answer:
    model.records.learn(lambda facts: replace(facts, pinned=None, pinned_by=None))
    return _told(model, {"model": model.model, "pinned": None})


def _pause(model: ModelDelivery, request: Request) -> Answer:
    model.records.learn(lambda facts: replace(facts, paused=request.who))
    return _told(model, {"model": model.model, "paused": True})


def _resume(model: ModelDelivery, _request: Request) -> Answer:
    model.records.learn(lambda facts: replace(facts, paused=None))
    return _told(model, {"model": model.model, "paused": False})


def _told(model: ModelDelivery, body: Mapping[str, Any]) -> Answer:
    model.course.wake()
    model.changed()
    return Answer(200, body)


def _soon(model: ModelDelivery, live: Deployment, has_happened: Callable[[Deployment], bool]) -> Answer:
    """The courier comes to it within a moment, unless it hashes or writes; then the answer is what it was."""

    def is_so() -> bool:
        now = model.courier.live
        return now is None or now.id != live.id or has_happened(now)

    model.course.until(is_so, _SOON_S)
    now = model.courier.live
    if now is not None and now.id == live.id:
        return Answer(200, now.as_json())
    ended = next((one for one in model.records.history() if one["id"] == live.id), None)
    return Answer(200, ended or live.as_json())


def _unknown(request: Request) -> Answer:
    asked = request.body.get("id")
    return Answer.refusal(404, f"This box knows no deployment {asked!r}; `appliance deployments` lists them.")
