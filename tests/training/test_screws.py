"""The kept presence check tells a screw from a hole, and says on the box what it said where it was trained."""

import numpy as np
import pytest
from training import learning, screws

from appliance.inspection.decide import Decision
from appliance.inspection.plan import Plan
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.result import Evaluation
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving.ids import ServableId
from camera.frame import Frame
from camera.pictures import decode

pytestmark = pytest.mark.skipif(
    not screws.DATA.is_dir(), reason=f"NOT VERIFIED: the photographs are not at {screws.DATA}"
)


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> list[tuple[learning.Case, np.ndarray, Decision]]:
    """Every held-out part with its scores, (regions, labels), and the decision, as the appliance makes them."""
    trained = screws.kept()
    config = RuntimeConfig(cache=tmp_path_factory.mktemp("cache"), engines=("tensorflow-saved-model",))
    loader = SavedModelLoader(trained.model_dir, config)
    model = loader.load(ServableId("screws", 1))
    plan = Plan(RecipeConfig(model="screws", deadline_ms=100), model)
    found = []
    for case in trained.split.held_out:
        scores = plan.infer(model, plan.preprocessor.apply(frame_of(case.path))).copy()
        found.append((case, scores, plan.judge(scores)))
    loader.unload()
    return found


def frame_of(path):
    pixels, pixel_format = decode(path.read_bytes())
    return Frame(pixels, pixel_format, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)


def test_every_present_screw_of_a_part_never_seen_scores_above_every_missing_one(judged):
    there, gone = screws.by_region([case for case, *_ in judged], {case.path.name: s for case, s, _ in judged})
    assert len(there) + len(gone) == 4 * len(judged)
    assert learning.area_under_curve(there, gone) >= 0.99


def test_the_box_gives_the_scores_that_the_training_gave(judged):
    predictions = screws.kept().predictions
    assert max(float(np.abs(scores - predictions[case.path.name]).max()) for case, scores, _ in judged) <= 1e-3


def test_no_part_with_a_missing_screw_passes(judged):
    passed = {case.path.name for case, _, decision in judged if decision.evaluation is Evaluation.OK}
    assert not [case.path.name for case, *_ in judged if case.label == "fail" and case.path.name in passed]
    assert len(passed) >= 0.8 * sum(case.label == "pass" for case, *_ in judged)


def test_a_part_with_a_missing_screw_fails_for_the_region_where_it_is_missing(judged):
    for case, _, decision in judged:
        if decision.evaluation is Evaluation.NOT_OK:
            assert screws.present(case)[decision.classes[0].region] is False
