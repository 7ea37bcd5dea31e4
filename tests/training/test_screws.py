"""The presence check is learnt from real photographs, and tells a screw from a hole on parts it has never seen."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from training import screws

from appliance.inspection.decide import Decision
from appliance.inspection.plan import Plan
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.result import Evaluation
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving.ids import ServableId
from camera.frame import Frame, PixelFormat

DATA = Path(__file__).parents[3] / "shared" / "data" / "defects" / "screws"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"the photographs are not at hand ({DATA})"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return screws.train(DATA, tmp_path_factory.mktemp("screws"), seed=2)


@pytest.fixture(scope="module")
def judged(trained, tmp_path_factory) -> list[tuple[screws.Part, np.ndarray, Decision]]:
    """Every held-out part with its scores, (regions, labels), and the decision, as the appliance makes them."""
    loader = SavedModelLoader(trained.model_dir, RuntimeConfig(cache=tmp_path_factory.mktemp("cache")))
    model = loader.load(ServableId("screws", 1))
    plan = Plan(RecipeConfig(model="screws", deadline_ms=100), model)
    found = []
    for part in trained.held_out:
        scores = plan.infer(model, plan.preprocessor.apply(frame_of(part.path)))
        found.append((part, scores, plan.judge(scores)))
    loader.unload()
    return found


def frame_of(path):
    return Frame(cv2.imread(str(path)), PixelFormat.BGR8, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)


def test_no_photograph_is_learnt_from_and_held_out():
    learnt, held_out = screws.split(screws.read_parts(DATA), seed=2)
    assert {part.path for part in learnt} & {part.path for part in held_out} == set()
    assert len(learnt) + len(held_out) == 100
    assert {part.label for part in held_out} == {"pass", "fail"}


def test_every_present_screw_of_a_part_never_seen_scores_above_every_missing_one(judged):
    present = [float(row[0]) for part, scores, _ in judged for row, there in rows(part, scores) if there]
    missing = [float(row[0]) for part, scores, _ in judged for row, there in rows(part, scores) if not there]
    assert len(present) + len(missing) == 4 * len(judged)
    above = np.asarray(present)[:, None] > np.asarray(missing)[None]
    assert above.mean() >= 0.99  # the area under the ROC curve


def test_no_part_with_a_missing_screw_passes(judged):
    passed = [part.path.name for part, _, decision in judged if decision.evaluation is Evaluation.OK]
    assert [part.path.name for part, *_ in judged if part.label == "fail" and part.path.name in passed] == []
    assert len(passed) >= 0.8 * sum(part.label == "pass" for part, *_ in judged)


def test_a_part_with_a_missing_screw_fails_for_the_region_where_it_is_missing(judged):
    for part, _, decision in judged:
        if decision.evaluation is Evaluation.NOT_OK:
            assert part.present[decision.classes[0].region] is False


def rows(part, scores):
    return zip(scores, part.present.values(), strict=True)
