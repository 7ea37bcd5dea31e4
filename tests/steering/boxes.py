"""A delivery process' double: it keeps the promises of requests.py that tests need, and may misbehave on request."""

import threading
from dataclasses import replace

from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.states import State
from appliance.steering.document import deployments
from appliance.steering.requests import Answer, Request, Verb

AT = "2026-11-21T10:00:00.000Z"
DIGEST = "sha256:" + "ab" * 32


def deployment(number: int = 1, model: str = "surface", **facts) -> Deployment:
    made = Deployment(
        id=f"0193a5f0-0000-7000-8000-{number:012d}",
        model=model,
        reference="oci://registry.plant:5000/models/surface:stable",
        identity=f"sha256:{number:064x}",
        requested_by="poll",
        created=f"2026-11-21T09:{number % 60:02d}:00.000Z",
        since=f"2026-11-21T09:{number % 60:02d}:00.000Z",
    )
    return replace(made, **facts)


def model_part(live: Deployment | None = None, **facts) -> dict:
    return {
        "active": {"release": 7, "version": 7, "digest": DIGEST},
        "previous": {"release": 6, "version": 6, "digest": DIGEST},
        "factory": {"release": 0, "version": 1, "digest": DIGEST},
        "candidate": None,
        "flags": {"paused": False, "pinned": None, "revoked": False, "stale": False},
        "flag_details": {},
        "update_available": None,
        "deployment": None if live is None else live.as_json(),
        "last_looked": AT,
        "next_look": "2026-11-21T10:30:00.000Z",
        "held": [7, 6, 0],
    } | facts


def document(*ways: Deployment, models=("surface",), at: str = AT, **facts) -> dict:
    newest = {name: next((one for one in ways if one.model == name), None) for name in models}
    return {
        "schema_version": 1,
        "station": "line3-box1",
        "at": at,
        "models": {name: model_part(way, **facts) for name, way in newest.items()},
        "deployments": [one.as_json() for one in ways],
    }


class Handler:
    """What the delivery process promises, on a document in memory; `asked` keeps every request."""

    def __init__(self, *ways: Deployment, models=("surface",)) -> None:
        self.asked: list[Request] = []
        self.ways = list(ways)
        self.models = models
        self.flags = {name: {"paused": False, "pinned": None, "revoked": False, "stale": False} for name in models}
        self.memory: dict[tuple, tuple[dict, Answer]] = {}
        self.raises: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.together = 0
        self.together_most = 0
        self.tell = lambda _document: None

    def document(self) -> dict:
        made = document(*self.ways, models=self.models)
        for name in self.models:
            made["models"][name]["flags"] = dict(self.flags[name])
        return made

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request)
        self.together += 1
        self.together_most = max(self.together, self.together_most)
        try:
            assert self.hold.wait(20)
            if self.raises is not None:
                raise self.raises
            if request.model is not None and request.model not in self.models:
                return Answer.refusal(404, f"No model {request.model!r} is delivered to this box.")
            return self._once(request)
        finally:
            self.together -= 1

    def _once(self, request: Request) -> Answer:
        place = (request.verb, request.model, request.key)
        if request.key is not None and place in self.memory:
            body, answer = self.memory[place]
            if body != request.body:
                return Answer.refusal(409, f"The key {request.key!r} was another request's.")
            return Answer(200, answer.body)
        answer = self._do(request)
        if request.key is not None and answer.status < 300:
            self.memory[place] = (dict(request.body), answer)
        if answer.status < 300 and request.verb not in {Verb.OVERVIEW, Verb.SHOW, Verb.AUDIT}:
            self.tell(self.document())
        return answer

    def _do(self, request: Request) -> Answer:
        match request.verb:
            case Verb.OVERVIEW:
                return Answer(200, self.document())
            case Verb.CREATE if not request.body.keys() & {"tag", "digest", "release"}:
                return Answer(202, {"model": request.model})
            case Verb.CREATE:
                made = deployment(len(self.ways) + 1, request.model, requested_by=request.who, request_id=request.key)
                self.ways.insert(0, made)
                return Answer(202, made.as_json())
            case Verb.SHOW | Verb.CANCEL | Verb.APPROVE:
                return self._change(request)
            case Verb.PIN | Verb.UNPIN:
                self.flags[request.model]["pinned"] = (
                    request.body.get("release", 7) if request.verb is Verb.PIN else None
                )
                return Answer(200, {"model": request.model, "pinned": self.flags[request.model]["pinned"]})
            case Verb.PAUSE | Verb.RESUME:
                self.flags[request.model]["paused"] = request.verb is Verb.PAUSE
                return Answer(200, {"model": request.model, "paused": request.verb is Verb.PAUSE})
            case Verb.ROLLBACK:
                return Answer(202, deployment(99, request.model).as_json())
            case Verb.LOOK:
                return Answer(202, {"models": [request.model] if request.model else list(self.models)})
            case Verb.AUDIT:
                entry = {"at": AT, "who": "anna", "source": "rest 127.0.0.1", "verb": "pause", "model": "surface"}
                return Answer(200, {"entries": [entry]})
            case _:
                return Answer(200, {"model": request.model})

    def _change(self, request: Request) -> Answer:
        wanted = request.body.get("id")
        found = next((one for one in self.ways if wanted in (one.id, None)), None)
        if found is None or find_in(self, found) is None:
            return Answer.refusal(404, "No such deployment is known here.")
        if request.verb is Verb.SHOW:
            return Answer(200, found.as_json())
        if found.is_over:
            return Answer.refusal(409, f"It is over already: {found.state.value}.")
        if request.verb is Verb.CANCEL:
            changed = found.moved(State.CANCELED, AT, reason="canceled", detail=f"Canceled by {request.who}.")
        else:
            changed = replace(found, approved_by=request.who)
        self.ways[self.ways.index(found)] = changed
        return Answer(200, changed.as_json())


def find_in(handler: Handler, one: Deployment) -> dict | None:
    return next((way for way in deployments(handler.document()) if way["id"] == one.id), None)
