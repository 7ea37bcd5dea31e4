"""What people and programs ask of the line, done: a part is triggered, the recipe is changed, and who did it is said.

Nothing of this is on the way from a trigger to its verdict: it ends where a trigger begins, and goes on when the result
is on the disk.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from appliance import scheduling
from appliance.inspection import Result
from appliance.recipes import NotPossible, UnknownCamera, UnknownRecipe
from appliance.status import RecipeStatus
from appliance.steering.once import KeyConflict, Once
from appliance.steering.pace import Pace
from appliance.steering.requests import Answer, Request, Verb
from appliance.steering.server import ControlServer
from appliance.steering.sides import LINE

_log = logging.getLogger(__name__)

PER_S: Final = 100.0
"""Requests a second, all ways in together; what comes faster waits in the kernel. More than any line has parts."""
AT_ONCE: Final = 20
WAITERS_MAX: Final = 8
"""So many may wait for a result at once; the others' connections stay free for triggers."""
_RECENT: Final = 256


class Steered(Protocol):
    """What of the line is used here; see `appliance.lines.Lines`, which says what each raises."""

    def trigger(self, name: str, *, part_id: str | None, on_result: Callable[[Result], None] | None) -> int: ...

    def recipes(self) -> list[RecipeStatus]: ...

    def change_over(self, recipe: str, *, cameras: Collection[str], job_id: str | None) -> list[RecipeStatus]: ...


class _Part:
    """One that was triggered here, and perhaps its result. Fields are set by one thread each."""

    def __init__(self) -> None:
        self.trigger_id = -1
        self.result: Result | None = None
        self.is_over = threading.Event()
        """Its result is on the disk, or nobody shall wait for it any more."""


class LineCommands:
    """handle() is called by several threads at once; stop() by one."""

    def __init__(self, lines: Steered) -> None:
        self._lines = lines
        self._parts: Once[_Part] = Once()
        self._changes: Once[Answer] = Once()
        self._waiters = threading.BoundedSemaphore(WAITERS_MAX)
        self._lock = threading.Lock()
        # guarded by _lock:
        self._awaited_now: set[_Part] = set()
        self._unrecorded: dict[str, _Part] = {}
        """By result_id, those that are known and not on the disk."""
        self._recorded: deque[str] = deque(maxlen=_RECENT)
        """The newest on the disk: a result may be there before who waits for it is told of it."""
        self._stopping = False

    def server(self, path: Path) -> ControlServer:
        """The socket at which these commands come in; its threads come after everything that a part waits for."""
        pace = Pace(PER_S, AT_ONCE)
        return ControlServer(path, self.handle, LINE, together=True, pace=pace, enter=scheduling.lend)

    def handle(self, request: Request) -> Answer:
        """Raises: ApplianceError, which is a 503."""
        try:
            if request.verb is Verb.RECIPES:
                return Answer(200, {"schema_version": 1, "recipes": _as_json(self._lines.recipes())})
            return self._trigger(request) if request.verb is Verb.TRIGGER else self._change_over(request)
        except (UnknownCamera, UnknownRecipe) as error:
            return Answer.refusal(404, str(error))
        except (NotPossible, KeyConflict) as error:
            return Answer.refusal(409, str(error))

    def recorded(self, result_id: str) -> None:
        """This result is on the disk: who waits for it may hear it. Any thread; some microseconds."""
        with self._lock:
            self._recorded.append(result_id)
            part = self._unrecorded.pop(result_id, None)
        if part is not None:
            part.is_over.set()

    def stop(self) -> None:
        """Nobody waits for a result any more."""
        with self._lock:
            self._stopping = True
            for part in self._awaited_now:
                part.is_over.set()

    # A part --------------------------------------------------------------------------------------------------------

    def _trigger(self, request: Request) -> Answer:
        wait_s = float(request.body.get("wait_s", 0.0))
        if not wait_s:
            part, is_known = self._parts.do(request, lambda: self._triggered(request))
            return Answer(200 if is_known else 202, _said(request, part))
        if not self._waiters.acquire(blocking=False):
            return Answer.refusal(
                503, f"{WAITERS_MAX} wait for results already, so nothing was triggered; ask without wait_s, or again."
            )
        try:
            part, _ = self._parts.do(request, lambda: self._triggered(request))
            return self._awaited(request, part, wait_s)
        finally:
            self._waiters.release()

    def _triggered(self, request: Request) -> _Part:
        part = _Part()
        part.trigger_id = self._lines.trigger(
            request.body["camera"], part_id=request.body.get("part_id"), on_result=partial(self._known, part)
        )
        return part

    def _known(self, part: _Part, result: Result) -> None:
        """On the thread that knows it, which must not be kept: some microseconds."""
        part.result = result
        with self._lock:
            if result.result_id not in self._recorded:
                self._unrecorded[result.result_id] = part
                if len(self._unrecorded) > _RECENT:  # the disk takes nothing: that is told elsewhere
                    del self._unrecorded[next(iter(self._unrecorded))]
                return
        part.is_over.set()

    def _awaited(self, request: Request, part: _Part, wait_s: float) -> Answer:
        with self._lock:
            if self._stopping:
                part.is_over.set()
            self._awaited_now.add(part)
        is_over = part.is_over.wait(wait_s)
        with self._lock:
            self._awaited_now.discard(part)
            is_recorded = part.result is not None and part.result.result_id not in self._unrecorded
        if is_over and is_recorded and part.result is not None:
            return Answer(200, {**_said(request, part), "result": part.result.fields()})
        why = "the line is being stopped" if is_over else f"it did not come within {wait_s:g} s"
        sentence = f"Part {part.trigger_id} was triggered; its result is not known here: {why}. It goes out by MQTT."
        return Answer(504, {**_said(request, part), "error": sentence})

    # A changeover --------------------------------------------------------------------------------------------------

    def _change_over(self, request: Request) -> Answer:
        answer, _ = self._changes.do(request, lambda: self._changed_over(request))
        return answer

    def _changed_over(self, request: Request) -> Answer:
        recipe, camera, job_id = (request.body.get(name) for name in ("recipe", "camera", "job_id"))
        before = {one.camera: one.recipe for one in self._lines.recipes()}
        fields = {"WHO": request.who, "SOURCE": request.source, "RECIPE": recipe, "JOB_ID": job_id or "-"}
        try:
            with scheduling.as_ordinary():  # it runs the model once
                changed = self._lines.change_over(
                    str(recipe), cameras=() if camera is None else (camera,), job_id=job_id
                )
        except (NotPossible, UnknownCamera, UnknownRecipe) as error:
            _log.warning("%s asked for recipe %s and did not get it: %s", request.who, recipe, error, extra=fields)
            raise
        for one in changed:
            was = before.get(one.camera, "none")
            more = {"CAMERA": one.camera, "BEFORE": was, "CONFIG_ID": one.config_id}
            _log.info(
                "%s changed the recipe of %s from %s to %s.",
                *(request.who, one.camera, was, one.recipe),
                extra=fields | more,
            )
        return Answer(200, {"recipe": recipe, "camera": camera, "job_id": job_id, "recipes": _as_json(changed)})


def _said(request: Request, part: _Part) -> dict[str, Any]:
    return {
        "camera": request.body["camera"],
        "trigger_id": part.trigger_id,
        "part_id": request.body.get("part_id"),
    }


def _as_json(recipes: list[RecipeStatus]) -> list[dict[str, Any]]:
    return [asdict(one) for one in recipes]
