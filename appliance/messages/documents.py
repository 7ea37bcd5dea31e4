"""What the box serves about its own messages: the AsyncAPI document, and every schema. Pure."""

import json
from collections.abc import Mapping

from appliance.messages.asyncapi import document
from appliance.messages.box import Box
from appliance.messages.schemas import PATHS


def documents(box: Box) -> Mapping[str, bytes]:
    """By the path at which it is served: `asyncapi.json`, `schema/result.json`; some milliseconds."""
    found = {f"schema/{name}": path.read_bytes() for name, path in PATHS.items()}
    return {"asyncapi.json": encoded(box), **found}


def encoded(box: Box) -> bytes:
    """The AsyncAPI document as JSON, for people to read, too."""
    return json.dumps(document(box), indent=2, ensure_ascii=False).encode() + b"\n"
