"""`appliance deployments`: asks the box, and prints what it says."""

import argparse
import json
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from appliance.client.box import Box
from appliance.client.deployments_text import audit, details, overview
from appliance.client.deployments_watch import watch
from appliance.client.errors import ClientError
from appliance.steering.sentences import wait_of

_Options = argparse.Namespace


def run(options: _Options) -> int:
    """The command. Raises: ClientError with a sentence where it could not be done."""
    box = Box(options.box, options.token_file, options.timeout)
    if options.verb == "overview" and options.watch:
        watch(box)
        return 0
    body, text = _VERBS[options.verb](box, options)
    sys.stdout.write((json.dumps(body, indent=1, ensure_ascii=False) if options.json else text) + "\n")
    return 0


def _overview(box: Box, _options: _Options) -> tuple[Any, str]:
    document = box.said(box.read("/deployments")).body
    return document, overview(document, _now())


def _show(box: Box, options: _Options) -> tuple[Any, str]:
    one = box.said(box.read(f"/deployments/{_part(options.id)}")).body
    return one, details(one)


def _audit(box: Box, options: _Options) -> tuple[Any, str]:
    body = box.said(box.read(f"/deployments/audit?limit={options.limit}")).body
    return body, audit(body["entries"])


def _start(box: Box, options: _Options) -> tuple[Any, str]:
    wish = {"model": options.model, "tag": options.tag, "digest": options.digest, "release": options.release}
    body = {name: value for name, value in wish.items() if value is not None}
    if options.force:
        body["force"] = True
    one = box.change("POST", "/deployments", body, key=str(uuid.uuid4()))
    said = _told(one) if "id" in one else f"The configured source of {options.model} is looked at now."
    return one, f"{said} Follow it with: appliance deployments --watch"


def _of_one(box: Box, options: _Options) -> tuple[Any, str]:
    """cancel, approve: by id, or by the model whose live one is meant."""
    document = box.said(box.read("/deployments")).body
    is_model = options.which in document["models"]
    place = f"/models/{_part(options.which)}" if is_model else f"/deployments/{_part(options.which)}"
    one = box.change("POST", f"{place}/{options.verb}")
    return one, _told(one)


def _of_model(box: Box, options: _Options) -> tuple[Any, str]:
    body = box.change("POST", f"/models/{_part(options.model)}/{options.verb}")
    said = {"pause": "is paused", "resume": "goes on"}.get(options.verb)
    return body, f"{options.model} {said}." if said else _told(body)


def _pin(box: Box, options: _Options) -> tuple[Any, str]:
    path = f"/models/{_part(options.model)}/pin"
    if options.verb == "unpin":
        return box.change("DELETE", path), f"{options.model} follows what is published again."
    body = box.change("PUT", path, {} if options.release is None else {"release": options.release})
    return body, f"{options.model} is pinned to release {body['pinned']}."


def _look(box: Box, options: _Options) -> tuple[Any, str]:
    place = "/deployments" if options.model is None else f"/models/{_part(options.model)}"
    body = box.change("POST", f"{place}/look")
    return body, f"The registry is asked now for {', '.join(body['models'])}."


def _told(one: Mapping[str, Any]) -> str:
    wait = wait_of(one)
    return f"Deployment {one['id']} of {one['model']}: {one['state'].replace('_', ' ')}{', ' + wait if wait else ''}."


def _part(text: str) -> str:
    """One level of a path. Raises: ClientError."""
    if not text or not all(one.isascii() and (one.isalnum() or one in "_.-") for one in text):
        raise ClientError(f"{text[:80]!r} is no name of a model and no id of a deployment.")
    return text


def _now() -> datetime:
    return datetime.now(timezone.utc)


_VERBS: Final[Mapping[str, Callable[[Box, _Options], tuple[Any, str]]]] = {
    "overview": _overview,
    "show": _show,
    "audit": _audit,
    "start": _start,
    "cancel": _of_one,
    "approve": _of_one,
    "rollback": _of_model,
    "pause": _of_model,
    "resume": _of_model,
    "pin": _pin,
    "unpin": _pin,
    "look": _look,
}
