"""The safe canary: a part passes only where both models pass it, and no part is late or lost because of it."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from inspection.line_rig import Signature
from running import VALIDATOR, until

from appliance.inspection import CameraLine, Canary, InForce, LineSettings, Reporter
from appliance.inspection.acquisition import AcquisitionSettings
from appliance.inspection.canary import SecondOpinion
from appliance.inspection.decide import Decision
from appliance.inspection.ledger import Part
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.result import ClassScore, Evaluation, ModelUsed, Reason
from appliance.inspection.station import Station
from appliance.runtimes.errors import PredictError
from appliance.serving import NotServing, ServableId
from appliance.status import CanaryStatus
from camera.frame import Frame, PixelFormat
from camera.opening import make_camera

GOOD, REVIEW, BAD = [0.05, 0.95], [0.5, 0.5], [0.95, 0.05]
RECIPE = RecipeConfig(model="surface", deadline_ms=200)
FRAME = Frame(np.zeros((8, 8), np.uint8), PixelFormat.MONO8, 0, 1, 0, 0)


class Model:
    """Gives the scores it is told to, or raises them; `before` runs first."""

    def __init__(self, scores, digest="sha256:1", before=lambda: None):
        self.scores = scores
        self.digest = digest
        self.before = before
        self.signatures = {"serving_default": Signature()}
        self.metadata = {
            "labels": ["scratch", "good"],
            "good_label": "good",
            "input": {"width": 8, "height": 8, "color": "MONO8", "dtype": "uint8", "resize": "area"},
            "limits": {"per_class": {"scratch": 0.8}, "review": {"scratch": 0.4}, "good_min": 0.5},
        }

    def predict(self, inputs, signature="serving_default"):
        self.before()
        if isinstance(self.scores, Exception):
            raise self.scores
        return {"scores": np.array([self.scores], np.float32)}


class Borrowed:
    def __init__(self, version, model):
        self.id = ServableId("surface", version)
        self.servable = model


def borrowing(version, model):
    @contextmanager
    def borrow():
        if model is None:
            raise NotServing("surface", version)
        yield Borrowed(version, model)

    return borrow


def canary_of(model, measured_s=0.001):
    canary = Canary(CanaryStatus(9, 8, "2026-01-01T00:00:00.000Z"), borrowing(8, model))
    canary.measured_s = measured_s
    return canary


def reporter():
    return Reporter("box", "top")


def in_force(serving, canary):
    digest = "sha256:" + "0" * 64
    return InForce("part", RECIPE, digest, RECIPE.deadline_ms, borrowing(7, serving), lambda: canary)


def give_up_in(left_s=0.2):
    return time.monotonic_ns() + round(left_s * 1e9)


def inspect(serving, canary, left_s=0.2):
    used = in_force(serving, canary)
    station = Station(lambda: used, reporter(), lambda *_: None)
    end = give_up_in(left_s)
    return station.inspect(Part(1, time.monotonic_ns(), 0, end, end, used), FRAME)


def counts(canary):
    status = canary.status()
    return status.parts, status.new_rejects, status.new_passes, status.failed, status.skipped


@pytest.mark.parametrize(
    ("serving", "candidate", "evaluation", "reason", "counted"),
    [
        (GOOD, GOOD, "OK", None, (1, 0, 0, 0, 0)),
        (GOOD, REVIEW, "NotDecidable", "CANARY_REJECTED", (1, 1, 0, 0, 0)),
        (GOOD, BAD, "NotOK", "CANARY_REJECTED", (1, 1, 0, 0, 0)),
        (REVIEW, BAD, "NotOK", "CANARY_REJECTED", (1, 0, 0, 0, 0)),
        (BAD, GOOD, "NotOK", "CLASS_ABOVE_LIMIT", (1, 0, 1, 0, 0)),
        (REVIEW, GOOD, "NotDecidable", "BETWEEN_LIMITS", (1, 0, 1, 0, 0)),
        (BAD, REVIEW, "NotOK", "CLASS_ABOVE_LIMIT", (1, 0, 0, 0, 0)),
        (GOOD, [float("nan"), 0.5], "OK", None, (0, 0, 0, 1, 0)),
        (GOOD, PredictError("out of memory"), "OK", None, (0, 0, 0, 1, 0)),
        (GOOD, KeyError("a defect"), "OK", None, (0, 0, 0, 1, 0)),
    ],
)
def test_a_part_passes_only_where_both_pass_it(serving, candidate, evaluation, reason, counted):
    canary = canary_of(Model(candidate, "sha256:2"))
    result = inspect(Model(serving), canary)
    assert (result.evaluation.value, result.reason and result.reason.value) == (evaluation, reason)
    assert counts(canary) == counted
    assert result.model == ModelUsed("surface", 7, "sha256:1"), "it is the serving model's result"
    assert result.classes[0].score == pytest.approx(max(serving), abs=1e-6)
    if reason == "CANARY_REJECTED":
        assert "surface 7" in result.detail
        assert "surface 8" in result.detail


def test_a_rejected_parts_message_is_valid():
    result = inspect(Model(GOOD, "sha256:" + "1" * 64), canary_of(Model(BAD)))
    message = {"stream": "01934d5e-7e5c-7000-8000-000000000000", "sequence": 0, "prev": None, **result.fields()}
    VALIDATOR.validate(message)
    assert message["reason"] == "CANARY_REJECTED"


def test_without_time_left_the_candidate_is_not_asked():
    asked = []
    canary = canary_of(Model(BAD, before=lambda: asked.append(1)), measured_s=0.1)
    assert inspect(Model(GOOD), canary, left_s=0.1).evaluation is Evaluation.OK
    assert asked == []
    assert counts(canary) == (0, 0, 0, 0, 1)
    assert inspect(Model(GOOD), canary, left_s=0.2).evaluation is Evaluation.NOT_OK


def test_before_it_was_measured_no_part_is_shown_to_it():
    canary = canary_of(Model(BAD), measured_s=None)
    assert inspect(Model(GOOD), canary).evaluation is Evaluation.OK
    assert counts(canary) == (0, 0, 0, 0, 1)
    canary.measure([RECIPE])
    assert 0 < canary.measured_s < 0.1
    assert inspect(Model(GOOD), canary).evaluation is Evaluation.NOT_OK


def test_a_candidate_that_was_thought_too_slow_is_measured_again():
    canary = canary_of(Model(GOOD), measured_s=5.0)
    second = SecondOpinion(RECIPE)
    serving = Decision(Evaluation.OK, None, (ClassScore("good", 0.9),))
    for _ in range(64):
        second.ask(canary, give_up_in(), FRAME, serving, ModelUsed("surface", 7, ""))
    assert canary.measured_s is None
    canary.measure([RECIPE])
    second.ask(canary, give_up_in(), FRAME, serving, ModelUsed("surface", 7, ""))
    assert counts(canary) == (1, 0, 0, 0, 64)


def test_while_the_candidate_loads_the_serving_model_judges_alone():
    canary = canary_of(None)
    assert inspect(Model(GOOD), canary).evaluation is Evaluation.OK
    assert counts(canary) == (0, 0, 0, 0, 0)
    canary.measured_s = None
    canary.measure([RECIPE])
    assert canary.measured_s is None


@pytest.mark.parametrize("accepting", [True, False])
def test_a_candidate_that_hangs_costs_a_part_nothing_but_the_second_opinion(accepting):
    """The verdict of what serves stands when the part's time is over; the part is not late."""
    hangs, goes_on = threading.Event(), threading.Event()

    def hang():
        hangs.set()
        assert goes_on.wait(30)

    canary = canary_of(Model(BAD, before=hang))
    results = []
    line = CameraLine(
        make_camera({"driver": "virtual", "seed": 5, "width_px": 96, "height_px": 60}),
        in_force(Model(GOOD), canary),
        reporter(),
        LineSettings(AcquisitionSettings(detect_frozen=False), self_test_after_s=60),
        record=results.append,
        accepting=lambda: accepting,
        changed=lambda: None,
    )
    threads = [threading.Thread(target=body, name=name) for name, body in line.threads().items()]
    for thread in threads:
        thread.start()
    assert line.acquisition.tried.wait(10)
    try:
        line.trigger(time.monotonic_ns())
        assert hangs.wait(10)
        until(lambda: results, "the part's result", 5)
        (result,) = results
        assert result.deadline_met
        if accepting:
            assert (result.evaluation, result.reason) == (Evaluation.OK, None)
        else:
            assert (result.evaluation, result.reason) == (Evaluation.UNDEFINED, Reason.NOT_RECORDED)
    finally:
        goes_on.set()
        line.stop()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
    assert len(results) == 1
    assert counts(canary) == (0, 0, 0, 0, 1)
