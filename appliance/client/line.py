"""`appliance trigger` and `appliance recipe`: asks the line, by its box' page or by its own socket."""

import argparse
import difflib
import json
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from appliance.client.box import Box, user
from appliance.client.deployments_text import clean
from appliance.client.errors import ClientError
from appliance.client.tables import age, table
from appliance.steering.client import ControlClient
from appliance.steering.requests import RESULT_WAIT_MAX_S, Request, Verb
from appliance.steering.sides import LINE

_Options = argparse.Namespace


def run(options: _Options) -> int:
    """The commands. Raises: ClientError, BadRequest with a sentence where it could not be done."""
    body, text = _VERBS[options.verb](options)
    sys.stdout.write((json.dumps(body, indent=1, ensure_ascii=False) if options.json else text) + "\n")
    return 0


def _trigger(options: _Options) -> tuple[Any, str]:
    body = {"camera": options.name, "part_id": options.part_id}
    if options.wait:
        body["wait_s"] = RESULT_WAIT_MAX_S
    said = _asked(options, Verb.TRIGGER, body)
    if "result" in said:
        return said["result"], _judged(said["result"])
    return said, f"Part {said['trigger_id']} of {clean(said['camera'])} is triggered."


def _judged(result: Mapping[str, Any]) -> str:
    """One part, one line."""
    part = "" if result["part_id"] is None else f" ({clean(result['part_id'])})"
    reason = "" if result["reason"] is None else f", {clean(result['reason'])}"
    best = next(iter(result["classes"] or ()), None)
    score = "" if best is None else f", {clean(best['label'])} {best['score']:.3f}"
    total_ms, deadline_ms = result["processing_times"]["total_ms"], result["deadline_ms"]
    detail = f"\n{clean(result['detail'])}" if result["detail"] else ""
    return (
        f"Part {result['trigger_id']}{part} of {clean(result['camera'])}: {clean(result['verdict'])} "
        f"({clean(result['evaluation'])}{reason}{score}) after {total_ms:.1f} of {deadline_ms:g} ms{detail}"
    )


def _list(options: _Options) -> tuple[Any, str]:
    said = _asked(options, Verb.RECIPES, {})
    names = sorted({name for one in said["recipes"] for name in (one["recipe"], *one["recipes"])})
    rows = [
        (
            clean(name),
            _names(one["camera"] for one in said["recipes"] if one["recipe"] == name),
            _names(one["camera"] for one in said["recipes"] if name in one["recipes"] and one["recipe"] != name),
        )
        for name in names
    ]
    return said, table(("RECIPE", "IN FORCE ON", "MAY BE ON"), rows)


def _show(options: _Options) -> tuple[Any, str]:
    said = _asked(options, Verb.RECIPES, {})
    if options.camera is not None:
        one = _of(said["recipes"], options.camera)
        return one, _details(one)
    now = datetime.now(timezone.utc)
    rows = [
        (
            clean(one["camera"]),
            clean(one["recipe"]),
            clean(one["job_id"] or "-"),
            age(one["since_utc"], now),
            f"{one['deadline_ms']:g} ms",
        )
        for one in said["recipes"]
    ]
    refused = [f"{one['camera']}: the last changeover was refused: {one['refused']}" for one in said["recipes"]]
    notes = [clean(note) for note, one in zip(refused, said["recipes"], strict=True) if one["refused"]]
    return said, "\n".join((table(("CAMERA", "RECIPE", "JOB", "FOR", "DEADLINE"), rows), *notes))


def _details(one: Mapping[str, Any]) -> str:
    rows = [
        ("camera", one["camera"]),
        ("recipe", one["recipe"]),
        ("job", one["job_id"] or "-"),
        ("since", one["since_utc"]),
        ("deadline", f"{one['deadline_ms']:g} ms"),
        ("config id", one["config_id"]),
        ("may be changed to", ", ".join(name for name in one["recipes"] if name != one["recipe"]) or "nothing else"),
    ]
    if one["refused"]:
        rows.append(("last refused", one["refused"]))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {clean(value)}" for name, value in rows)


def _switch(options: _Options) -> tuple[Any, str]:
    body = {"recipe": options.recipe, "camera": options.camera, "job_id": options.job}
    said = _asked(options, Verb.RECIPE, body)
    cameras = _names(one["camera"] for one in said["recipes"])
    job = "" if said["job_id"] is None else f", job {clean(said['job_id'])}"
    return said, f"{cameras}: recipe {clean(said['recipe'])}{job} is in force from the next trigger on."


def _of(recipes: list[Mapping[str, Any]], camera: str) -> Mapping[str, Any]:
    """Raises: ClientError."""
    known = {str(one["camera"]): one for one in recipes}
    if camera in known:
        return known[camera]
    near = difflib.get_close_matches(camera, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ClientError(f"There is no camera {camera[:64]!r}: {hint}there are {', '.join(known) or 'none'}.")


def _names(names: Any) -> str:
    return ", ".join(clean(name) for name in names) or "-"


# Asking -------------------------------------------------------------------------------------------------------------


def _asked(options: _Options, verb: Verb, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer's body. Raises: ClientError, and BadRequest where the request means nothing."""
    request = Request(verb, body=dict(body), who=f"local ({user()})", source="command line", key=str(uuid.uuid4()))
    timeout_s = options.timeout + float(request.body.get("wait_s", 0.0))
    return _by_socket(options, request, timeout_s) if options.socket else _by_box(options, request, timeout_s)


def _by_socket(options: _Options, request: Request, timeout_s: float) -> Mapping[str, Any]:
    answer = ControlClient(options.socket, LINE).ask(request, timeout_s)
    if answer.status >= 400:
        raise ClientError(str(answer.body.get("error")))
    return answer.body


def _by_box(options: _Options, request: Request, timeout_s: float) -> Mapping[str, Any]:
    box = Box(options.box, options.token_file, timeout_s)
    body = dict(request.body)
    camera = body.pop("camera", None)
    if request.verb is Verb.RECIPES:
        said = box.said(box.read("/recipes")).body
    elif request.verb is Verb.TRIGGER:
        said = box.change("POST", f"/cameras/{camera}/trigger", body, request.key)
    else:
        said = box.change("PUT", "/recipe" if camera is None else f"/cameras/{camera}/recipe", body, request.key)
    if not isinstance(said, dict):
        raise ClientError(f"{box.url} answers, and not as an appliance does; name the port of the box' page.")
    return said


_VERBS: Final[Mapping[str, Callable[[_Options], tuple[Any, str]]]] = {
    "trigger": _trigger,
    "list": _list,
    "show": _show,
    "switch": _switch,
}
