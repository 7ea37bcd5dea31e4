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
        ({**METADATA, "limits": [0.5]}, {}, "limits in the model's metadata"),
        ({**METADATA, "input": "grey"}, {}, "input in the model's metadata"),
        ({**METADATA, "limits": {**METADATA["limits"], "per_class": 3}}, {}, "limits cannot be read"),
        (METADATA, {"input": {"color": "RGB8"}}, "4×4×3"),
        (METADATA, {"input": {"dtype": "float32"}}, "uint8"),
    ],
)
def test_what_does_not_fit_is_named(metadata, changes, says):
    with pytest.raises(RecipeError, match=says):
        Plan(recipe(**changes), Described(metadata=metadata))


PLACES = ("upper_left", "upper_right", "lower_left", "lower_right")
PLATE = {name: (4 * (index % 2), 4 * (index // 2), 4, 4) for index, name in enumerate(PLACES)}


def test_a_plate_with_four_screws_is_one_call_and_one_result_that_names_the_screws():
    model = Described(answer=[[0.01, 0.99], [0.95, 0.05], [0.9, 0.1], [0.03, 0.97]])
    plan = Plan(recipe(input={"regions": PLATE}), model)
    decision = plan.judge(plan.infer(model, plan.blank()))
    assert decision.evaluation is Evaluation.NOT_OK
    assert decision.detail == "upper_left: scratch 0.99; lower_right: scratch 0.97"
    assert [one.region for one in decision.regions] == list(PLACES)


def test_a_region_is_judged_by_its_own_limits():
    limits = {"regions": {"upper_left": {"per_class": {"scratch": 0.999}, "good_min": 0.0}}}
    plan = Plan(recipe(input={"regions": PLATE}, limits=limits), Described())
    scratched = [[0.01, 0.99], [0.95, 0.05], [0.95, 0.05], [0.95, 0.05]]
    assert plan.judge(np.array(scratched)).evaluation is Evaluation.OK
    assert plan.judge(np.array(scratched[::-1])).evaluation is Evaluation.NOT_OK


def test_limits_of_a_region_that_is_not_there_name_the_nearest():
    limits = {"regions": {"uper_left": {"good_min": 0.5}}}
    with pytest.raises(RecipeError, match="Did you mean 'upper_left'"):
        Plan(recipe(input={"regions": PLATE}, limits=limits), Described())


def test_a_recipes_own_regions_take_the_place_of_the_models_and_of_their_limits():
    metadata = {
        **METADATA,
        "input": {**METADATA["input"], "roi": [0, 0, 8, 8], "regions": {"a": [0, 0, 4, 4], "b": [4, 0, 4, 4]}},
        "limits": {**METADATA["limits"], "regions": {"a": {"good_min": 0.1}, "b": {"good_min": 0.2}}},
    }
    plan = Plan(recipe(input={"regions": {"b": (0, 0, 8, 8)}}), Described(metadata=metadata))
    assert plan.preprocessor.spec.roi is None
    assert [one.region for one in plan.preprocessor.windows] == ["b"]
    assert plan.limits.of("b").good_min == 0.2


def test_tiles_are_rows_of_one_batch_and_the_worst_names_its_place():
    model = Described(answer=[[0.9, 0.1]] * 5 + [[0.2, 0.8]])
    plan = Plan(recipe(input={"roi": (0, 0, 12, 8), "tiles": {"width": 4, "height": 4}}), model)
    decision = plan.judge(plan.infer(model, plan.blank()))
    assert plan.blank().shape == (6, 4, 4, 1)
    assert (decision.detail, decision.classes[0].region, decision.regions) == ("r2c3: scratch 0.80", "r2c3", ())


def fixed(batch, **more):
    signature = Signature({"image": Tensor("uint8", (batch, 4, 4, 1))}, {"scores": Tensor("float32", (batch, 2))})
    return OneByOne(signatures={"serving_default": signature}, **more)


@dataclass
class OneByOne(Described):
    """Exported for a batch of one: says how bright the picture is."""

    calls: int = 0

    def predict(self, inputs, signature="serving_default"):
        image = inputs["image"]
        assert image.shape == (1, 4, 4, 1)
        self.calls += 1
        return {"scores": np.array([[1 - image.mean() / 255, image.mean() / 255]], np.float32)}


def test_a_model_that_takes_one_picture_at_a_time_is_called_for_each_region():
    model = fixed(1)
    plan = Plan(recipe(input={"regions": PLATE}), model)
    batch = plan.blank()
    batch[2] = 255
    decision = plan.judge(plan.infer(model, batch))
    assert model.calls == 4
    assert decision.detail == "lower_left: scratch 1.00"


def test_a_model_of_another_fixed_batch_is_refused_with_what_to_export():
    with pytest.raises(RecipeError, match="takes 2 pictures at a time, and the recipe has 4 regions or tiles; export"):
        Plan(recipe(input={"regions": PLATE}), fixed(2))
