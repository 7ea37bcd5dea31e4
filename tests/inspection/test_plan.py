"""A recipe and a model either fit, or it is said what does not and where to change it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from appliance.inspection import Evaluation, Plan, RecipeConfig, RecipeError

METADATA = {
    "labels": ["good", "scratch"],
    "good_label": "good",
    "output": "scores",
    "input": {"width": 4, "height": 4, "color": "MONO8", "dtype": "uint8", "resize": "area"},
    "limits": {"good_min": 0.8, "per_class": {"scratch": 0.5}},
}


@dataclass
class Tensor:
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass
class Signature:
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


@dataclass
class Described:
    """What a model says of itself; the numbers it gives are the test's."""

    metadata: dict[str, Any] = field(default_factory=lambda: METADATA)
    signatures: dict[str, Signature] = field(
        default_factory=lambda: {
            "serving_default": Signature(
                {"image": Tensor("uint8", (None, 4, 4, 1))}, {"scores": Tensor("float32", (None, 2))}
            )
        }
    )
    digest: str = "sha256:0"
    answer: Any = None

    def predict(self, inputs, signature="serving_default"):
        assert inputs["image"].shape[1:] == (4, 4, 1)
        return {"scores": np.array(self.answer, np.float32)}


def recipe(**changes):
    return RecipeConfig(**{"model": "surface", "deadline_ms": 100, **changes})


def test_a_recipe_that_says_nothing_takes_all_from_the_model():
    plan = Plan(recipe(), Described())
    assert plan.labels == ("good", "scratch")
    assert plan.blank().shape == (1, 4, 4, 1)


def test_what_the_recipe_says_goes_before_what_the_model_says():
    plan = Plan(recipe(limits={"per_class": {"scratch": 0.9}, "good_min": 0.1}), Described())
    assert plan.judge(np.array([[0.2, 0.8]])).evaluation is Evaluation.OK
    assert Plan(recipe(), Described()).judge(np.array([[0.2, 0.8]])).evaluation is Evaluation.NOT_OK


def test_several_regions_are_one_batch_and_all_have_to_be_ok():
    regions = {"left": (0, 0, 4, 4), "right": (4, 0, 4, 4)}
    model = Described(answer=[[0.99, 0.01], [0.3, 0.7]])
    plan = Plan(recipe(input={"regions": regions}), model)
    decision = plan.judge(plan.infer(model, plan.blank()))
    assert plan.blank().shape[0] == 2
    assert decision.evaluation is Evaluation.NOT_OK
    assert {one.region for one in decision.classes} == {"right"}


def without(key, *, inside=None):
    value = {**METADATA, "input": {**METADATA["input"]}, "limits": {**METADATA["limits"]}}
    del (value if inside is None else value[inside])[key]
    return value


@pytest.mark.parametrize(
    ("metadata", "changes", "says"),
    [
        ({}, {}, "names the classes"),
        (without("labels"), {}, "names the classes"),
        (without("per_class", inside="limits"), {}, "limits.per_class.scratch"),
        (without("good_min", inside="limits"), {}, "good_min"),
        (without("resize", inside="input"), {}, "resize"),
        (METADATA, {"signature": "other"}, "signature 'other'"),
        (METADATA, {"output": "logits"}, "scores"),
        (METADATA, {"labels": ["good", "scratch", "dent"], "limits": {"per_class": {"dent": 0.5}}}, "3 labels"),
        (METADATA, {"labels": ["good", "good"]}, "twice"),
        (METADATA, {"input": {"width": 8}}, "4×4"),
        (METADATA, {"input": {"color": "RGB8"}}, "4×4×3"),
        (METADATA, {"input": {"dtype": "float32"}}, "uint8"),
    ],
)
def test_what_does_not_fit_is_named(metadata, changes, says):
    with pytest.raises(RecipeError, match=says):
        Plan(recipe(**changes), Described(metadata=metadata))
