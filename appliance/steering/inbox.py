"""Messages of operators over MQTT, read: each becomes a request, or a sentence why not. Pure.

`desired` is a wish: it is retained, stands until another takes its place, and comes again at each connect. `cmd/<verb>`
is a command: now or never. One that is retained would be done again at each connect, so it is refused. Two commands are
the line's: `cmd/trigger` {camera, part_id} and `cmd/recipe` {recipe, camera, job_id}; one is the gateway's:
`cmd/replay` {camera, stream, from_sequence, to_sequence}.
"""

import hashlib
import json
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.steering.errors import BadRequest
from appliance.steering.requests import OF_THE_GATEWAY, OF_THE_LINE, Request, Verb

PAYLOAD_MAX_BYTES: Final = 16_384
COMMANDS: Final = frozenset(
    {Verb.APPROVE, Verb.CANCEL, Verb.LOOK, Verb.PAUSE, Verb.PIN, Verb.RESUME, Verb.ROLLBACK, Verb.UNPIN}
    | {Verb.TRIGGER, Verb.RECIPE, Verb.REPLAY}
)
"""What a command may be, where the configuration allows it."""
TRIGGER_WAITS_S: Final = 1.0
"""A trigger that has waited here for longer is refused: the part that it meant has gone by."""
_USER: Final = "user"
_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_ANSWER_TOPIC: Final = re.compile(r"[^+#\x00]{1,512}")


@dataclass(frozen=True, slots=True)
class Mail:
    """One message."""

    topic: str
    """Below the base topic."""
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    came_s: float = field(default_factory=time.monotonic, compare=False)
    """Monotonic clock."""

    @property
    def is_wish(self) -> bool:
        """`desired`, and no command."""
        return self.topic.partition("/")[0] == "desired"

    @property
    def is_for_the_line(self) -> bool:
        """A command that the line's own process answers."""
        return self._is_of(OF_THE_LINE)

    @property
    def is_for_the_gateway(self) -> bool:
        """A command that the gateway answers itself."""
        return self._is_of(OF_THE_GATEWAY)

    def _is_of(self, verbs: Collection[Verb]) -> bool:
        return not self.is_wish and self.topic.partition("/")[2] in {verb.value for verb in verbs}


def read_wish(mail: Mail, models: Collection[str]) -> Request:
    """A wish. `models`: those that are delivered here. Raises: BadRequest."""
    body = _body(mail.payload)
    model = _model(mail.topic.partition("/")[2], body.pop("model", None), models)
    if not mail.payload.strip():
        return Request(Verb.CLEAR, model, who=who(mail), source=f"mqtt {mail.topic}")
    key = body.pop("request_id", None)
    if key is None:  # the same wish comes at each connect: its own bytes are its name
        key = f"wish-{hashlib.sha256(mail.payload).hexdigest()[:32]}"
    body["by_wish"] = True
    return Request(Verb.CREATE, model, body, who=who(mail), source=f"mqtt {mail.topic}", key=key)


def read_command(mail: Mail, models: Collection[str], allowed: Collection[str]) -> Request:
    """A command. `allowed`: verbs that the configuration lets in. Raises: BadRequest."""
    name = mail.topic.partition("/")[2]
    if name not in allowed or name not in {verb.value for verb in COMMANDS}:
        known = ", ".join(sorted(allowed)) or "none"
        raise BadRequest(f"{name[:40]!r} cannot be commanded over MQTT here; mqtt.commands allows {known}.")
    if mail.retained:
        raise BadRequest(
            f"The command {name} is retained, so it would be done again at each connect; it is refused: "
            "publish it without retain, and an empty retained message to take it away."
        )
    verb = Verb(name)
    body = _body(mail.payload)
    key = body.pop("request_id", None)
    if verb in OF_THE_LINE:
        return _of_the_line(verb, body, mail, key)
    if verb in OF_THE_GATEWAY:
        return Request(verb, None, body, who(mail), f"mqtt {mail.topic}", key, mail.response_topic, mail.correlation)
    wanted = body.pop("model", None)
    model = wanted
    if wanted is not None or (verb is not Verb.LOOK and "id" not in body):
        model = _model("", wanted, models)
    return Request(verb, model, body, who=who(mail), source=f"mqtt {mail.topic}", key=key)


def _of_the_line(verb: Verb, body: dict[str, Any], mail: Mail, key: str | None) -> Request:
    waited_s = time.monotonic() - mail.came_s
    if verb is Verb.TRIGGER and waited_s > TRIGGER_WAITS_S:
        raise BadRequest(
            f"The trigger waited {waited_s:.1f} s behind other commands, so its part has gone by; it is refused."
        )
    if "wait_s" in body:
        raise BadRequest(
            "wait_s is for REST and the command line; over MQTT the result comes on the camera's own topic."
        )
    return Request(verb, None, body, who=who(mail), source=f"mqtt {mail.topic}", key=key)


def who(mail: Mail) -> str:
    """For the audit log: what the user property `user` says, which the broker or the client itself has set."""
    user = mail.attributes.get(_USER, "")
    return f"mqtt ({user})" if _NAME.fullmatch(user) else "mqtt"


def may_answer(topic: str, base_topic: str) -> bool:
    """Whether an answer may go there: a plain topic, and none of our own, where it would speak in our name."""
    return (
        _ANSWER_TOPIC.fullmatch(topic) is not None
        and not topic.startswith("$")
        and topic != base_topic
        and not topic.startswith(f"{base_topic}/")
    )


def _body(payload: bytes) -> dict[str, Any]:
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise BadRequest(f"The message has {len(payload)} bytes; {PAYLOAD_MAX_BYTES} are the most.")
    if not payload.strip():
        return {}
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadRequest("The message is no JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The message is a JSON object.")
    return value


def _model(by_topic: str, by_body: Any, models: Collection[str]) -> str:
    """Which model is meant. Raises: BadRequest."""
    if not models:
        raise BadRequest("No model of this box comes from a registry, so there is nothing to deliver.")
    if by_body is not None and not isinstance(by_body, str):
        raise BadRequest("model is the name of a model, and so a string.")
    named = {one for one in (by_topic or None, by_body) if one is not None}
    known = ", ".join(sorted(models))
    if len(named) > 1:
        raise BadRequest("The topic names another model than the message.")
    if not named and len(models) != 1:
        raise BadRequest(f"The message has to name a model, one of {known}.")
    model = next(iter(named or models))
    if model not in models:
        raise BadRequest(f"No model {model[:64]!r} is delivered here; there are {known}.")
    return model
