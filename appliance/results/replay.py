"""`appliance results replay`: the running box publishes results once more."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.config import load_config
from appliance.results.errors import ResultsError
from appliance.results.terminal import HowFar, count, of, pipe_may_end, say
from appliance.steering.client import ControlClient
from appliance.steering.errors import BadRequest
from appliance.steering.requests import Request, Verb
from appliance.steering.sides import GATEWAY

_ANSWER_S: Final = 10.0
_POLL_S: Final = 0.3
_RUNNING: Final = "running"
_DONE: Final = "done"


def replay(options: argparse.Namespace) -> int:
    """Ask, and follow it to its end. Raises: ResultsError, ConfigError."""
    box = ControlClient(_socket(options), GATEWAY)
    until_s = time.monotonic() + options.timeout
    begun = _ask(box, _request(options))
    say(f"At most {of(begun['rows'], 'message')} of {begun['camera']}, stream {begun['stream']}, to {begun['topic']}.")
    ended = _follow(box, begun, until_s)
    with pipe_may_end():
        sys.stdout.write(json.dumps(ended, ensure_ascii=False) + "\n" if options.json else _text(ended))
    return 0 if ended["state"] == _DONE and not ended["missing"] else 1


def _socket(options: argparse.Namespace) -> Path:
    socket: Path = options.socket or load_config(options.config).gateway_socket
    return socket


def _request(options: argparse.Namespace) -> Request:
    body = {"camera": options.camera, "from_sequence": options.from_sequence, "to_sequence": options.to_sequence}
    if options.stream is not None:
        body["stream"] = options.stream
    who = os.environ.get("SUDO_USER") or os.environ.get("USER") or "local"
    try:
        return Request(Verb.REPLAY, None, body, who=who, source="socket")
    except BadRequest as error:
        raise ResultsError(str(error)) from error


def _follow(box: ControlClient, begun: Mapping[str, Any], until_s: float) -> Mapping[str, Any]:
    """Until it is done, or has failed. Raises: ResultsError."""
    progress = HowFar("sent", begun["rows"])
    while True:
        known = _ask(box, Request(Verb.REPLAYS, source="socket"))["replays"]
        found: Mapping[str, Any] | None = next((one for one in known if one["id"] == begun["id"]), None)
        if found is None:
            raise ResultsError(
                "The gateway was started anew meanwhile, and knows nothing of this replay: ask for it again."
            )
        progress.at(found["sent"])
        if found["state"] != _RUNNING:
            progress.done()
            return found
        if time.monotonic() > until_s:
            progress.done()
            raise ResultsError(
                f"{count(found['sent'])} of at most {count(found['rows'])} messages were sent when the time was over; "
                "the box goes on with it. Is the broker there? `appliance results outbox` tells."
            )
        time.sleep(_POLL_S)


def _ask(box: ControlClient, request: Request) -> Mapping[str, Any]:
    """Raises: ResultsError."""
    answer = box.ask(request, _ANSWER_S)
    if answer.status >= 400:
        raise ResultsError(str(answer.body.get("error") or f"The gateway answered {answer.status}."))
    return answer.body


def _text(ended: Mapping[str, Any]) -> str:
    lines = [f"{of(ended['sent'], 'message')} sent once more to {ended['topic']}."]
    if ended["state"] != _DONE:
        lines.append(f"It ended before all were sent: {ended.get('error') or 'the gateway does not say why'}")
    for first, last in ended["missing"]:
        numbers = f"number {first}" if first == last else f"numbers {first} to {last}"
        lines.append(f"No longer on this box, or not recorded yet: {numbers}.")
    return "\n".join(lines) + "\n"
