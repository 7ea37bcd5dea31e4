"""What may be asked of the box, and its answers: the same for REST, MQTT and the command line.

The delivery process' handler is a function `(Request) -> Answer`. What it has to do for each verb:

| verb     | model | body                                     | answer |
|----------|-------|------------------------------------------|--------|
| overview | -     | {}                                       | 200 the document (see document.py) |
| show     | -     | {id}                                     | 200 a deployment |
| audit    | (or -)| {limit}, 1..1000                         | 200 {entries: [newest first]} |
| create   | name  | {tag, digest or release; force, not_before, issued, spread_s, percent, by_wish} | 202 deployment |
| clear    | name  | {}: the retained wish is gone            | 200 {model} |
| cancel   | (or -)| {id}, or {}: the model's live one        | 200 a deployment |
| approve  | (or -)| as cancel                                | 200 a deployment |
| rollback | name  | {id}: only while that one is the newest; or {} | 202 a deployment |
| pin      | name  | {release}, or {}: what serves now        | 200 {model, pinned} |
| unpin    | name  | {}                                       | 200 {model, pinned: null} |
| pause    | name  | {}                                       | 200 {model, paused: true} |
| resume   | name  | {}                                       | 200 {model, paused: false} |
| look     | (or -)| {}; without a model: all of them         | 202 {models: [names]} |

The line's own process answers these, and no others:

| verb     | body                                     | answer |
|----------|------------------------------------------|--------|
| trigger  | {camera, part_id, wait_s}, wait_s 0..10  | 202 {camera, trigger_id}; with wait_s 200 {..., result} |
| recipes  | {}                                       | 200 {schema_version, recipes: [one for each camera]} |
| recipe   | {recipe, camera, job_id}; no camera: all | 200 {recipe, camera, job_id, recipes: [those that changed]} |

The gateway answers these, and no others:

| verb     | body                                         | answer |
|----------|----------------------------------------------|--------|
| replay   | {camera, stream, from_sequence, to_sequence} | 202 {id, rows, topic, and the whole body} |
| replays  | {}                                           | 200 {schema_version, replays: [newest first]} |

Without a stream it is the camera's newest. The answer to `replay` comes at once; the results come on the side, and
`topic` says where: a command's response topic, otherwise `<base>/<camera>/replay`. `rows`: at most so many messages.
One of `replays` is {id, camera, stream, from_sequence, to_sequence, topic, rows, sent, missing, state, error, who}:
`state` is running, done or failed, `sent` what the broker has of it, `missing` a list of [from, to]. The newest 32 are
remembered while the gateway lives.

Instead of each: 404 no such model or deployment, camera, stream or recipe; 409 not in this state, or too many replays
at once; 422 a body that means nothing here; 503 not possible at present; of the line also 504: the part's result did
not come within wait_s. Each with {error: one sentence}. A `key` that came before, for the same verb and model, within
24 h: the first answer again, and 200 in the place of 202; with another body: 409. (The line and the gateway remember
keys as long as their processes live.) `by_wish`: it stands in the retained message `desired`, and comes again at each
connect. A create that names no release is a look: 202 {model}.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.steering.errors import BadRequest

RECIPE_SCHEMA_PATH: Final = Path(__file__).with_name("recipe.schema.json")
"""JSON Schema of what is in force, and of the flat message over MQTT."""
KEY_MAX: Final = 128
"""Longest Idempotency-Key or request_id, characters."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_KEY: Final = re.compile(rf"[!-~]{{1,{KEY_MAX}}}")
_RELEASE_MAX: Final = 2**63 - 1
RESULT_WAIT_MAX_S: Final = 10.0
"""So long may somebody wait for a part's result."""
_PART_ID_MAX: Final = 128
_SEQUENCE_MAX: Final = 2**53 - 1
_SPREAD_MAX_S: Final = 604_800
_AUDIT_MAX: Final = 1000


class Verb(str, enum.Enum):
    """What is asked. Values as on the wire, in topics and in the audit log."""

    OVERVIEW = "overview"
    SHOW = "show"
    AUDIT = "audit"
    CREATE = "create"
    CLEAR = "clear"
    CANCEL = "cancel"
    APPROVE = "approve"
    ROLLBACK = "rollback"
    PIN = "pin"
    UNPIN = "unpin"
    PAUSE = "pause"
    RESUME = "resume"
    LOOK = "look"
    TRIGGER = "trigger"
    RECIPES = "recipes"
    RECIPE = "recipe"
    """The changeover: this recipe from the next trigger on."""
    REPLAY = "replay"
    """A range of results again, for who missed it."""
    REPLAYS = "replays"


OF_THE_LINE: Final = frozenset({Verb.TRIGGER, Verb.RECIPES, Verb.RECIPE})
"""The line's own process answers them."""
OF_THE_GATEWAY: Final = frozenset({Verb.REPLAY, Verb.REPLAYS})
"""The gateway answers them; all others are the delivery process'."""
READING: Final = frozenset({Verb.OVERVIEW, Verb.SHOW, Verb.AUDIT, Verb.RECIPES, Verb.REPLAYS})
"""They change nothing and are in no audit log."""
_OF_ONE_MODEL: Final = frozenset(
    {Verb.CREATE, Verb.CLEAR, Verb.ROLLBACK, Verb.PIN, Verb.UNPIN, Verb.PAUSE, Verb.RESUME}
)
_BY_ID_OR_MODEL: Final = frozenset({Verb.CANCEL, Verb.APPROVE})


@dataclass(frozen=True, slots=True)
class Request:
    """One wish of a person or a program. Checked as it is made: a handler may rely on the table above."""

    verb: Verb
    model: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    who: str = "local"
    """For the audit log: a token's name, an MQTT client, a local user."""
    source: str = ""
    """From where: `rest 10.1.2.3`, `mqtt`, `socket`."""
    key: str | None = None
    """Idempotency-Key, request_id: asked twice with the same, it is done once."""
    response_topic: str | None = None
    """Of a command over MQTT, where its answer goes to a topic of its own. It never crosses to another process."""
    correlation: bytes | None = None

    def __post_init__(self) -> None:
        """Raises: BadRequest."""
        _check_names(self)
        body = _checked(self.verb, self.body)
        object.__setattr__(self, "body", body)
        if self.verb in _BY_ID_OR_MODEL and self.model is None and "id" not in body:
            raise BadRequest(f"{self.verb.value} needs a model, or the id of a deployment.")

    def as_json(self) -> dict[str, Any]:
        """As it crosses to the delivery process."""
        return {
            "verb": self.verb.value,
            "model": self.model,
            "body": dict(self.body),
            "who": self.who,
            "source": self.source,
            "key": self.key,
        }

    @classmethod
    def from_json(cls, value: Any) -> "Request":
        """The inverse. Raises: BadRequest."""
        if not isinstance(value, dict):
            raise BadRequest("A request is a JSON object.")
        try:
            verb = Verb(value["verb"])
        except (KeyError, ValueError):
            raise BadRequest(f"The verb is one of {', '.join(Verb)}, and not {value.get('verb')!r}.") from None
        who, source = (str(value.get(part) or "")[:200] for part in ("who", "source"))
        body = value.get("body")
        return cls(verb, value.get("model"), {} if body is None else body, who or "local", source, value.get("key"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: HTTP's numbers, for they are known; `body` has `error`, one sentence, from 400 on."""

    status: int
    body: Mapping[str, Any]

    @classmethod
    def refusal(cls, status: int, sentence: str) -> "Answer":
        """Nothing was done, and why."""
        return cls(status, {"error": sentence})


def _check_names(request: Request) -> None:
    model, key = request.model, request.key
    if model is None and request.verb in _OF_ONE_MODEL:
        raise BadRequest(f"{request.verb.value} needs the name of a model.")
    if model is not None and not _is_text(_NAME)(model):
        raise BadRequest(f"{_shown(model)} is no name of a model.")
    if key is not None and not _is_text(_KEY)(key):
        raise BadRequest(
            f"An Idempotency-Key or request_id is 1 to {KEY_MAX} printable ASCII characters without spaces."
        )


def _checked(verb: Verb, body: Any) -> dict[str, Any]:
    """The body without what is null. Raises: BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("The body is a JSON object.")
    given = {name: value for name, value in body.items() if value is not None}
    known = _FIELDS.get(verb, {})
    for name, value in given.items():
        if name not in known:
            fields = ", ".join(known) or "none"
            raise BadRequest(f"{verb.value} knows no field {_shown(name)}; it has: {fields}.")
        what, is_one = known[name]
        if not is_one(value):
            raise BadRequest(f"{name} is {what}, and not {_shown(value)}.")
    if len(given.keys() & {"tag", "digest", "release"}) > 1:
        raise BadRequest("Name what is wanted by one of tag, digest and release.")
    if verb is Verb.SHOW and "id" not in given:
        raise BadRequest("show needs the id of a deployment.")
    if verb is Verb.TRIGGER and "camera" not in given:
        raise BadRequest("trigger needs the name of a camera, or of a group under [parts].")
    if verb is Verb.RECIPE and "recipe" not in given:
        raise BadRequest("recipe needs the name of a recipe.")
    if verb is Verb.REPLAY:
        _check_range(given)
    return given


def _check_range(given: Mapping[str, Any]) -> None:
    if not given.keys() >= {"camera", "from_sequence", "to_sequence"}:
        raise BadRequest("replay needs camera, from_sequence and to_sequence: the range that is wanted again.")
    if given["from_sequence"] > given["to_sequence"]:
        raise BadRequest("from_sequence is the first number of the range, so it cannot be after to_sequence.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


def _is_text(pattern: "re.Pattern[str]") -> Any:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_number(low: float, high: float, *, whole: bool = False) -> Any:
    kinds: Any = int if whole else (int, float)
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_identity(value: Any) -> bool:
    """What the plant calls a part or an order: any script, nothing that steers a terminal or breaks a line."""
    return isinstance(value, str) and 0 < len(value) <= _PART_ID_MAX and value.isprintable()


_CAMERA_FIELD: Final = {"camera": ("the name of a camera, or of a group under [parts]", _is_text(_NAME))}
_IDENTITY: Final = (f"1 to {_PART_ID_MAX} printable characters", _is_identity)
_ID_FIELD: Final = {"id": ("a deployment's id", _is_text(_ID))}
_RELEASE_FIELD: Final = {"release": ("a whole number from 0 on", _is_number(0, _RELEASE_MAX, whole=True))}
_STREAM: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_SEQUENCE: Final = ("a whole number from 1 on", _is_number(1, _SEQUENCE_MAX, whole=True))
_FIELDS: Final[Mapping[Verb, Mapping[str, tuple[str, Any]]]] = {
    Verb.TRIGGER: {
        **_CAMERA_FIELD,
        "part_id": _IDENTITY,
        "wait_s": (f"a number of seconds from 0 to {RESULT_WAIT_MAX_S:g}", _is_number(0, RESULT_WAIT_MAX_S)),
    },
    Verb.RECIPE: {"recipe": ("the name of a recipe", _is_text(_NAME)), **_CAMERA_FIELD, "job_id": _IDENTITY},
    Verb.REPLAY: {
        **_CAMERA_FIELD,
        "stream": ("the id of a stream", _is_text(_STREAM)),
        "from_sequence": _SEQUENCE,
        "to_sequence": _SEQUENCE,
    },
    Verb.SHOW: _ID_FIELD,
    Verb.CANCEL: _ID_FIELD,
    Verb.APPROVE: _ID_FIELD,
    Verb.ROLLBACK: _ID_FIELD,
    Verb.PIN: _RELEASE_FIELD,
    Verb.AUDIT: {"limit": (f"a whole number from 1 to {_AUDIT_MAX}", _is_number(1, _AUDIT_MAX, whole=True))},
    Verb.CREATE: {
        "tag": ("a tag of the configured source, never an address", _is_text(_TAG)),
        "digest": ("sha256: and 64 hexadecimal digits", _is_text(_DIGEST)),
        **_RELEASE_FIELD,
        "force": ("true or false", _is_flag),
        "not_before": ("a moment such as 2026-11-20T20:31:04Z", _is_text(_MOMENT)),
        "issued": ("a moment such as 2026-11-20T20:31:04Z", _is_text(_MOMENT)),
        "spread_s": (f"a number of seconds from 0 to {_SPREAD_MAX_S}", _is_number(0, _SPREAD_MAX_S)),
        "percent": ("a number from 0 to 100", _is_number(0, 100)),
        "by_wish": ("true or false", _is_flag),
    },
}
