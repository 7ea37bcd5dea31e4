"""The inspection.json that goes into a package: the publisher's own, checked before anything takes long."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.inspection.errors import RecipeError
from appliance.inspection.preprocess import InputSpec
from appliance.publishing.errors import PublishError
from appliance.publishing.lint_inspection import NEEDED

_MAX_BYTES: Final = 4 << 20


def read_inspection(given: Path | None, labels: Sequence[str]) -> tuple[dict[str, Any], InputSpec]:
    """What boxes have to know, with `labels` laid over it, and what of it the model sees.

    Raises: PublishError where it is missing, cannot be read, or does not say what the model sees.
    """
    if given is None:
        raise PublishError(f"Boxes have to know what the model sees and what its scores mean. {NEEDED}.")
    said = _read(given)
    if labels:
        said["labels"] = list(labels)
    if not isinstance(said.get("labels"), list) or not said["labels"]:
        raise PublishError(
            f"{given} names no labels; set them there, or with --labels good,scratch in the scores' order."
        )
    try:
        spec = InputSpec.from_metadata(said["input"] if isinstance(said.get("input"), Mapping) else {})
    except RecipeError as error:
        raise PublishError(f"{given}: {error} {NEEDED}.") from error
    return said, spec


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAX_BYTES + 1)
        said = json.loads(raw)
    except OSError as error:
        raise PublishError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise PublishError(f"{file} is no JSON: {error}.") from error
    if len(raw) > _MAX_BYTES or not isinstance(said, dict):
        raise PublishError(f"{file} is no JSON object of at most {_MAX_BYTES >> 20} MiB. {NEEDED}.")
    return said
