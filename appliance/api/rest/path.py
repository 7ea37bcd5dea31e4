"""What a path under /v1/ asks for: TensorFlow Serving's two regular expressions, over path AND query string."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from appliance.dataplane import Code, ModelSpec, RequestError

_VERSION: Final = r"(?:(?:/versions/(?P<version>[0-9]+))|(?:/labels/(?P<label>[^/:]+)))?"
_POST: Final = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE | re.DOTALL
)
_GET: Final = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<method>metadata))?", re.IGNORECASE | re.DOTALL
)
_UNDER_V1: Final = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_INT64_MAX: Final = 2**63 - 1


class VersionTooLarge(RequestError):
    """A version beyond 64 bits: TensorFlow Serving answers it with 400 and nothing else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, understood."""

    method: str
    """`classify`, `regress`, `predict`, `metadata`, or `status`."""
    spec: ModelSpec


def is_under_v1(path: str) -> bool:
    """Whether TensorFlow Serving's handler gets to see it; everything else is not found."""
    return _UNDER_V1.fullmatch(path) is not None


def asked(verb: str, path: str) -> Asked:
    """Raises: RequestError (INVALID_ARGUMENT), VersionTooLarge."""
    pattern = {"POST": _POST, "GET": _GET}.get(verb)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        raise RequestError(Code.INVALID_ARGUMENT, f"Malformed request: {verb} {path}")
    digits, label = found["version"], found["label"]
    version = _number(digits) if digits else None
    name = _decoded(found["name"] or "")
    spec = ModelSpec(name, version, _decoded(label) if label else None)
    # the patterns ignore case, and what is compared then does not: :PREDICT is malformed, /METADATA the status
    if verb == "GET":
        return Asked("metadata" if found["method"] == "metadata" else "status", spec)
    if not found["method"].islower():
        raise RequestError(Code.INVALID_ARGUMENT, f"Malformed request: {verb} {path}")
    return Asked(found["method"], spec)


def _number(digits: str) -> int:
    bare = digits.lstrip("0") or "0"
    if len(bare) > 19 or int(bare) > _INT64_MAX:
        raise VersionTooLarge(Code.INVALID_ARGUMENT, f"Failed to convert version: {digits} to numeric.")
    return int(bare)


def _decoded(text: str) -> str:
    """Percent escapes undone; bytes that are no UTF-8 stay what they are."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
