"""What is set for a product: which model, what it sees, where the limits are, how long it may take."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from appliance.inspection.quality import QualityConfig

Score = Annotated[float, Field(ge=0, le=1)]


class InputConfig(BaseModel, extra="forbid", frozen=True):
    """What the model sees. Everything left out is taken from the model's own metadata; nothing is guessed."""

    roi: tuple[int, int, int, int] | None = Field(
        default=None, description="one region of the picture: [x, y, width, height] in pixels"
    )
    regions: dict[str, tuple[int, int, int, int]] | None = Field(
        default=None, description="several named regions, each [x, y, width, height]; all have to be OK"
    )
    width: int | None = Field(default=None, ge=1, le=8192, description="the model's input width, pixels")
    height: int | None = Field(default=None, ge=1, le=8192, description="the model's input height, pixels")
    color: str | None = Field(default=None, description="order of the channels: MONO8, RGB8 or BGR8")
    dtype: str | None = Field(default=None, description="uint8, or float32 for pixel * scale + offset")
    resize: str | None = Field(default=None, description="area, linear, cubic or nearest, as in training")
    scale: float | None = Field(default=None, description="for float32: factor on each pixel")
    offset: float | None = Field(default=None, description="for float32: added after the factor")


class LimitsConfig(BaseModel, extra="forbid", frozen=True):
    """Where OK ends and NotOK begins. Everything left out is taken from the model's own metadata."""

    good_min: Score | None = Field(default=None, description="OK needs at least this score for the good label")
    per_class: dict[str, Score] | None = Field(
        default=None, description="defect label = score at or above which the part is NotOK"
    )
    review: dict[str, Score] | None = Field(
        default=None,
        description="defect label = score at or above which the part is not OK, but for a person",
    )


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

    A region set in the recipe replaces the metadata's regions whole; limits are replaced class by class.
    """
    value: dict[str, Any] = {**metadata}
    for name in ("good_label", "labels", "output"):
        said = getattr(recipe, name)
        if said is not None:
            value[name] = said
    inputs = {**metadata.get("input", {})}
    said_input = recipe.input.model_dump(exclude_none=True)
    if {"roi", "regions"} & said_input.keys():
        inputs.pop("roi", None)
        inputs.pop("regions", None)
    value["input"] = {**inputs, **said_input}
    limits = {**metadata.get("limits", {})}
    said_limits = recipe.limits.model_dump(exclude_none=True)
    for name, said in said_limits.items():
        limits[name] = {**limits.get(name, {}), **said} if isinstance(said, dict) else said
    value["limits"] = limits
    return value
