"""`GET /v1/models/...`: the state of model versions, answered word for word as TensorFlow Serving answers it.

Its clients match on these texts, so they are kept, quirks included: the path is matched in any case and together
with its query string, a name is percent-decoded after the match, a label is read and ignored, int64 are strings.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from appliance.status import ModelStatus

_INT64_MAX: Final = str(2**63 - 1)
_ANY: Final = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_VERSION_OR_LABEL: Final = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_STATUS: Final = re.compile(
    r"/v1/models(?:/(?P<name>[^/:]+))?" + _VERSION_OR_LABEL + r"(?P<metadata>/metadata)?", re.IGNORECASE
)
_INFERENCE: Final = re.compile(
    r"/v1/models/[^/:]+" + _VERSION_OR_LABEL + r":(?:predict|classify|regress)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status code and body; the body is JSON or empty."""

    status: HTTPStatus
    body: str


def is_about_models(target: str) -> bool:
    """Whether this request target belongs here: everything below /v1/."""
    return _ANY.fullmatch(target) is not None


def answer(verb: str, target: str, models: Iterable[ModelStatus] | None) -> Answer:
    """Answer one request.

    `target` is the path and query as the client sent them. `models` are all known versions of all models, or None
    where nobody knows them because the line does not report. HEAD counts as GET.
    """
    if verb == "POST" and _INFERENCE.fullmatch(target):
        return _error(HTTPStatus.METHOD_NOT_ALLOWED, "This port answers model status; it takes no predictions.")
    asked = _STATUS.fullmatch(target) if verb in {"GET", "HEAD"} else None
    if asked is None:
        return _error(HTTPStatus.BAD_REQUEST, f"Malformed request: {verb} {target}")
    digits = (asked["version"] or "").lstrip("0")
    if (len(digits), digits) > (len(_INT64_MAX), _INT64_MAX):
        return Answer(HTTPStatus.BAD_REQUEST, "")
    if asked["name"] is None:
        return _error(HTTPStatus.BAD_REQUEST, "Missing model name in request.")
    if asked["metadata"] is not None:
        return _error(HTTPStatus.NOT_IMPLEMENTED, "This port answers model status; it has no model metadata.")
    if models is None:
        return _error(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The line does not report, so the state of its models is not known; /healthz tells why.",
        )
    return _versions(models, unquote(asked["name"]), None if asked["version"] is None else int(asked["version"]))


def _versions(models: Iterable[ModelStatus], name: str, version: int | None) -> Answer:
    named = sorted((one for one in models if one.name == name), key=lambda one: one.version, reverse=True)
    if not named:
        return _error(HTTPStatus.NOT_FOUND, f"Could not find any versions of model {name}")
    found = [one for one in named if version in (None, one.version)]
    if not found:
        return _error(HTTPStatus.NOT_FOUND, f"Could not find version {version} of model {name}")
    return Answer(HTTPStatus.OK, _json({"model_version_status": [_version(one) for one in found]}, indent=1) + "\n")


def _version(one: ModelStatus) -> dict[str, Any]:
    # The manager keeps a sentence and no code; UNKNOWN is gRPC's code for an error whose code is not known.
    status = {"error_code": "UNKNOWN" if one.error else "OK", "error_message": one.error or ""}
    return {"version": str(one.version), "state": one.state, "status": status}


def _error(status: HTTPStatus, sentence: str) -> Answer:
    return Answer(status, _json({"error": sentence}, indent=4))


def _json(value: object, *, indent: int) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)
