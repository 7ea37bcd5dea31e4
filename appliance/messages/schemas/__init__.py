"""The JSON Schemas (2020-12) of everything that is said, by the name under which the box serves them."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from appliance.inspection import SCHEMA_PATH as RESULT
from appliance.outbox.row import GAP_SCHEMA_PATH as GAP
from appliance.steering.document import SCHEMA_PATH as DEPLOYMENT
from appliance.steering.requests import RECIPE_SCHEMA_PATH as RECIPE

_HERE: Final = Path(__file__).parent

PATHS: Final[Mapping[str, Path]] = {
    "result.json": RESULT,
    "gap.json": GAP,
    "recipe.json": RECIPE,
    "deployment.json": DEPLOYMENT,
    **{path.name.replace(".schema.json", ".json"): path for path in sorted(_HERE.glob("*.schema.json"))},
}


@cache
def schema(name: str) -> Mapping[str, Any]:
    """The schema of this name, parsed; not to be changed. Raises KeyError where there is none."""
    value: dict[str, Any] = json.loads(PATHS[name].read_bytes())
    return value


def part(reference: str) -> Mapping[str, Any]:
    """What `recipe.json#/$defs/message` names. References within it are its file's."""
    name, _, pointer = reference.partition("#")
    found: Any = schema(name)
    for step in pointer.split("/")[1:]:
        found = found[step]
    whole: Mapping[str, Any] = found
    return whole
