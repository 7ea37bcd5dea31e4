"""What operators miss in TensorFlow Serving: which models there are, and whether they are ready. Paths of our own."""

import re
from typing import Any, Final
from urllib.parse import unquote

from appliance.api.rest.request import Answer, Request, json_answer
from appliance.dataplane import DataPlane, RequestError
from appliance.serving import ManagerState, ServableState

_PATHS: Final = re.compile(r"/(?P<what>models|readyz)(?:/(?P<name>[^/?]+))?(?:\?.*)?", re.DOTALL)


class Models:
    """`GET /models[/NAME]`, `GET /readyz[/NAME]`. Threads: any."""

    def __init__(self, plane: DataPlane) -> None:
        self._backend = plane.backend

    def knows(self, path: str) -> bool:
        """Whether it is one of these paths."""
        return _PATHS.fullmatch(path) is not None

    def answer(self, request: Request) -> Answer:
        """JSON; 503 where it is not ready."""
        found = _PATHS.fullmatch(request.path)
        assert found is not None
        if request.verb not in {"GET", "HEAD"}:
            return json_answer(405, {"error": f"{request.path} can only be read; use GET."}, {"Allow": "GET, HEAD"})
        name = unquote(found["name"]) if found["name"] else None
        models = _by_name(self._backend.states(name))
        if name is not None and not models:
            return json_answer(404, {"error": f"There is no model {name!r}; GET /models lists them."})
        if found["what"] == "readyz":
            return _readiness(models)
        return json_answer(200, {"models": [self._shown(one, states) for one, states in models.items()]})

    def _shown(self, name: str, states: list[ServableState]) -> dict[str, Any]:
        return {
            "name": name,
            "versions": [_version(state) | self._outline(state) for state in states],
            "labels": dict(self._backend.labels(name)),
        }

    def _outline(self, state: ServableState) -> dict[str, Any]:
        """What a loaded version says of itself; microseconds. Nothing where it is not loaded, or is gone by now."""
        if state.manager_state is not ManagerState.AVAILABLE:
            return {}
        try:
            with self._backend.borrow(state.id.name, state.id.version) as borrowed:
                outline = borrowed.outline
        except RequestError:
            return {}
        classes = outline.metadata.get("labels")
        return {
            "engine": outline.engine,
            "digest": outline.digest,
            "classes": list(map(str, classes)) if isinstance(classes, list) else [],
        }


def _by_name(states: Any) -> dict[str, list[ServableState]]:
    models: dict[str, list[ServableState]] = {}
    for state in sorted(states, key=lambda state: state.id.name):
        models.setdefault(state.id.name, []).append(state)
    return models


def _version(state: ServableState) -> dict[str, Any]:
    return {
        "version": state.id.version,
        "state": state.manager_state.value,
        "since": state.since.isoformat(),
        "attempts": state.attempts,
        "error": None if state.error is None else str(state.error),
    }


def _readiness(models: dict[str, list[ServableState]]) -> Answer:
    """Ready: there are models, and each has a version that answers."""
    waits = [
        name
        for name, states in models.items()
        if not any(state.manager_state is ManagerState.AVAILABLE for state in states)
    ]
    ready = bool(models) and not waits
    return json_answer(200 if ready else 503, {"ready": ready, "not_ready": waits})
