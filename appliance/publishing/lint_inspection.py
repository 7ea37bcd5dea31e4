"""inspection.json: what the model sees, what its scores mean, where the limits are; against the graph's signature."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.inspection.errors import RecipeError
from appliance.inspection.limits import Limits
from appliance.inspection.preprocess import InputSpec
from appliance.publishing.findings import Finding, error, warning
from appliance.runtimes.description import Description
from appliance.runtimes.model import DEFAULT_SIGNATURE, Signature, TensorSpec, shown

INSPECTION: Final = Path("assets.extra") / "inspection.json"
_WHERE: Final = str(INSPECTION)
_LEAST: Final = json.dumps(
    {
        "labels": ["good", "scratch"],
        "good_label": "good",
        "input": {"width": 640, "height": 480, "color": "MONO8", "dtype": "uint8", "resize": "area"},
        "limits": {"good_min": 0.7, "per_class": {"scratch": 0.5}},
    }
)
NEEDED: Final = f"Write one that says at least {_LEAST}; `appliance package --inspection` adds it"


def look_at_inspection(_folder: Path, description: Description) -> Iterator[Finding]:
    """Compare what it says with what the graph takes and gives."""
    said = description.metadata
    if not said:
        yield error("no_inspection", _WHERE, "boxes cannot know what the model sees and what its scores mean", NEEDED)
        return
    labels: list[str] | None = said["labels"] if _are_labels(said.get("labels")) else None
    if labels is None:
        yield error("labels", _WHERE, "it does not name the classes, each once", 'Set "labels", in the scores\' order')
    else:
        yield from _limits(said, labels)
    signature = description.signatures.get(DEFAULT_SIGNATURE)
    yield from _input(said, signature)
    if signature is not None:
        yield from _output(said, signature, labels)


def _are_labels(labels: Any) -> bool:
    return (
        isinstance(labels, list)
        and bool(labels)
        and all(isinstance(one, str) for one in labels)
        and len(set(labels)) == len(labels)
    )


def _limits(said: Mapping[str, Any], labels: list[str]) -> Iterator[Finding]:
    if not said.get("limits"):
        yield warning(
            "no_limits", _WHERE, "there are no limits", 'Set "limits", or the recipe of every box has to have them'
        )
        return
    try:
        Limits.from_metadata(said).check(labels, _regions(said))
    except RecipeError as problem:
        yield error("limits", _WHERE, str(problem).rstrip("."), "Correct the limits; a box refuses the model otherwise")


def _regions(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the input, as far as that can be read; what is wrong with it is said elsewhere."""
    value = said.get("input")
    regions = value.get("regions") if isinstance(value, Mapping) else None
    return regions if isinstance(regions, Mapping) else {}


def _input(said: Mapping[str, Any], signature: Signature | None) -> Iterator[Finding]:
    value = said.get("input")
    if not isinstance(value, Mapping):
        yield error("input", _WHERE, "it does not say what the model sees", NEEDED)
        return
    try:
        spec = InputSpec.from_metadata(value)
    except (RecipeError, AttributeError) as problem:
        yield error("input", _WHERE, f"input: {problem}".rstrip("."), NEEDED)
        return
    if signature is not None:
        yield from _input_fits(spec, signature)


def _input_fits(spec: InputSpec, signature: Signature) -> Iterator[Finding]:
    if len(signature.inputs) != 1:
        names = ", ".join(signature.inputs) or "none"
        yield error(
            "input",
            "saved_model.pb",
            f"the model takes the inputs {names}; a camera gives one picture",
            "Export it with one input",
        )
        return
    (tensor,) = signature.inputs.values()
    if tensor.dtype != spec.dtype:
        yield error(
            "input_dtype",
            _WHERE,
            f"input.dtype says {spec.dtype}, and the graph takes {tensor.dtype}",
            f'Set "dtype": "{tensor.dtype}", or export the model with {spec.dtype}',
        )
    rows = len(spec.windows())
    if tensor.shape is None or any(_fits((count, *spec.shape), tensor.shape) for count in (rows, 1)):
        return
    yield error(
        "input_shape",
        _WHERE,
        f"input says [{rows}, {', '.join(map(str, spec.shape))}] (rows, height, width, channels), "
        f"and the graph takes {shown(tensor.shape)}",
        "Correct width, height and color, or export the model for that size and any batch",
    )


def _fits(wanted: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(wanted) == len(shape) and all(b is None or a == b for a, b in zip(wanted, shape, strict=True))


def output_of(said: Mapping[str, Any], signature: Signature) -> TensorSpec | None:
    """The output with the scores; None where that is not clear."""
    named = said.get("output")
    if named is None and len(signature.outputs) == 1:
        return next(iter(signature.outputs.values()))
    return signature.outputs.get(str(named))


def _output(said: Mapping[str, Any], signature: Signature, labels: list[str] | None) -> Iterator[Finding]:
    tensor = output_of(said, signature)
    if tensor is None:
        have = ", ".join(signature.outputs) or "none"
        yield error(
            "output",
            _WHERE,
            f"output is {said.get('output')!r}, and the graph gives {have}",
            'Set "output" to the one with the scores',
        )
    elif labels and tensor.shape and tensor.shape[-1] not in {None, len(labels)}:
        yield error(
            "label_count",
            _WHERE,
            f"there are {len(labels)} labels, and the output {tensor.alias} gives {tensor.shape[-1]} scores",
            "Correct the labels: one for each score, in the scores' order",
        )
