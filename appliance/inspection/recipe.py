"""What is set for a product: which model, what it sees, where the limits are, how long it may take."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from appliance.inspection.errors import RecipeError
from appliance.inspection.limits import LimitsConfig
from appliance.inspection.preprocess import InputConfig
from appliance.inspection.preprocess.spec import PLACE
from appliance.inspection.quality import QualityConfig


class RecipeConfig(BaseModel, extra="forbid", frozen=True):
    """One product's recipe."""

    model: str = Field(description="name of a model under [models]")
    deadline_ms: float | None = Field(
        default=None,
        gt=0,
        le=60_000,
        description="from the trigger to the moment the gate has to know, milliseconds; "
        "default: what the camera's distance to the gate allows",
    )
    good_label: str | None = Field(default=None, description="the class that means 'nothing wrong'")
    labels: tuple[str, ...] | None = Field(default=None, description="the classes, in the model's order")
    output: str | None = Field(default=None, description="the model's output that holds the scores")
    signature: str = Field(default="serving_default", description="the model's signature to call")
    input: InputConfig = InputConfig()
    limits: LimitsConfig = LimitsConfig()
    quality: QualityConfig = QualityConfig()


def effective(recipe: RecipeConfig, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The model's metadata with everything the recipe says laid over it.

    Where the recipe says where the part is (roi, perspective, regions) it replaces what the metadata says of that
    whole, with the limits of regions that are gone; limits are replaced class by class. Raises: RecipeError.
    """
    value: dict[str, Any] = {**metadata}
    for name in ("good_label", "labels", "output"):
        said = getattr(recipe, name)
        if said is not None:
            value[name] = said
    limits = _table(metadata, "limits")
    inputs = _table(metadata, "input")
    said_input = recipe.input.model_dump(exclude_none=True)
    if not said_input.keys().isdisjoint(PLACE):
        inputs = {name: one for name, one in inputs.items() if name not in PLACE}
        there = said_input.get("regions", {})
        limits["regions"] = {name: one for name, one in _table(limits, "regions").items() if name in there}
    value["input"] = {**inputs, **said_input}
    value["limits"] = _overlaid(limits, recipe.limits.model_dump(exclude_none=True))
    return value


def _table(metadata: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy; empty where there is none. Raises: RecipeError."""
    value = metadata.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RecipeError(f"{name} in the model's metadata is {value!r}; it has to be a table of keys and values.")
    return dict(value)


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables within tables are laid over each other, too."""
    laid = {**below}
    for name, said in above.items():
        under = below.get(name)
        laid[name] = _overlaid(under if isinstance(under, Mapping) else {}, said) if isinstance(said, dict) else said
    return laid
