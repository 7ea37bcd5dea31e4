"""A part that several cameras see, or one sees several times: one combined result, by its rule, in order, in time."""

import threading
import time
from contextlib import ExitStack

import pytest
from inspection.line_rig import BAD, GOOD, REVIEW, Model, Rig, WiredCamera, in_force
from running import VALIDATOR, until

from appliance.inspection.combine import combined
from appliance.inspection.group import Group, GroupSettings
from appliance.inspection.result import Evaluation, Reason

STREAM = {"stream": "01934d5e-7e5c-7000-8000-000000000000", "sequence": 0, "prev": None}


class Station:
    """Several lines and their group."""

    def __init__(self, *scores, cameras=None, deadline_ms=500.0, models=None, **settings):
        models = models or [Model(one) for one in scores]
        self.cameras = cameras or [WiredCamera(triggers_itself=False) for _ in models]
        self.rigs = [
            Rig(camera, in_force(model, f"recipe-{number}", deadline_ms), name=f"view{number}")
            for number, (camera, model) in enumerate(zip(self.cameras, models, strict=True))
        ]
        self.results = []
        self.group = Group(
            "housing", lambda: [rig.line for rig in self.rigs], GroupSettings(**settings), self.results.append
        )

    def __enter__(self):
        self._stack = ExitStack()
        for rig in self.rigs:
            self._stack.enter_context(rig)
        self._threads = [threading.Thread(target=body) for body in self.group.threads().values()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.group.stop()
        self._stack.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def part(self, **more):
        told = []
        self.group.trigger(time.monotonic_ns(), on_result=told.append, **more)
        return until(lambda: told, "the part's result", 10)[0]


@pytest.mark.parametrize(
    ("scores", "ok_min", "evaluation"),
    [
        ((GOOD, GOOD), None, "OK"),
        ((GOOD, BAD), None, "NotOK"),
        ((GOOD, REVIEW), None, "NotDecidable"),
        ((REVIEW, BAD), None, "NotOK"),
        ((GOOD, GOOD, BAD), 2, "OK"),
        ((GOOD, BAD, BAD), 2, "NotOK"),
        ((GOOD, REVIEW, REVIEW), 2, "NotDecidable"),
    ],
)
def test_a_part_is_what_its_rule_makes_of_its_views(scores, ok_min, evaluation):
    with Station(*scores, ok_min=ok_min) as station:
        result = station.part(part_id="SN-1")
    assert result.evaluation.value == evaluation
    assert result.camera == "housing"
    assert result.part_id == "SN-1"
    assert [view.camera for view in result.views] == [f"view{number}" for number in range(len(scores))]
    assert result.deadline_met
    VALIDATOR.validate({**STREAM, **result.fields()})
    assert [len(rig.results) for rig in station.rigs] == [1] * len(scores), "each view has its own result, too"
    assert {rig.results[0].part_id for rig in station.rigs} == {"SN-1"}


def test_the_worst_views_classes_say_which_camera_saw_it():
    with Station(GOOD, BAD) as station:
        result = station.part()
    assert result.classes[0].region == "view1"
    assert result.classes[0].label == "scratch"
    assert "view1" in result.detail


def test_a_view_that_nobody_took_never_passes_a_part_and_it_is_told_in_time():
    blind = WiredCamera(triggers_itself=False)
    blind.trigger = lambda: None
    with Station(GOOD, GOOD, cameras=[WiredCamera(triggers_itself=False), blind], deadline_ms=200.0) as station:
        result = station.part()
    assert (result.evaluation, result.verdict_ns > 0) == (Evaluation.UNDEFINED, True)
    assert result.reason.value in ("FRAME_MISSING", "DEADLINE_EXPIRED")
    assert result.deadline_met, result.times


def test_one_camera_exposes_several_times_for_one_part():
    with Station(GOOD, frames=3, interval_s=0.03, ok_min=2) as station:
        result = station.part()
        assert [view.evaluation for view in result.views] == [Evaluation.OK] * 3
        assert [view.trigger_id for view in result.views] == [0, 1, 2]
        again = station.part()
    assert [view.trigger_id for view in again.views] == [3, 4, 5]


def test_all_exposures_of_a_part_have_to_be_known_by_its_one_deadline():
    blind = WiredCamera(triggers_itself=False)
    blind.trigger = lambda: None
    with Station(GOOD, cameras=[blind], frames=2, interval_s=0.1, deadline_ms=500.0) as station:
        result = station.part()
    assert result.times.total_ms < 580, "the second exposure has no deadline of its own"
    assert result.evaluation is Evaluation.UNDEFINED


def test_combined_results_come_in_the_order_of_the_parts():
    """The second part's views are known first."""
    wait = threading.Event()
    models = [Model(GOOD), Model(GOOD, before=lambda: wait.wait(0.3))]
    with Station(models=models, deadline_ms=2000.0) as station:
        for number in range(3):
            station.group.trigger(time.monotonic_ns(), part_id=str(number))
        wait.set()
        until(lambda: len(station.results) == 3, "three results", 10)
    assert [one.part_id for one in station.results] == ["0", "1", "2"]
    assert [one.trigger_id for one in station.results] == [0, 1, 2]
    assert station.group.tally.parts == 3


def test_the_configuration_of_a_combined_result_changes_with_each_views_and_with_the_rule():
    with Station(GOOD, GOOD) as station:
        station.part()
    views = [rig.results[0] for rig in station.rigs]
    assert combined("housing", views, 2).config_id == combined("housing", views, 2).config_id
    assert combined("housing", views, 2).config_id != combined("housing", views, 1).config_id


def test_a_combined_result_has_an_id_of_its_own():
    """Or whoever reads all topics, and drops what comes twice, would miss it."""
    with Station(GOOD, GOOD) as station:
        combined_one = station.part()
    assert combined_one.result_id not in {rig.results[0].result_id for rig in station.rigs}


def test_all_views_of_a_part_are_judged_by_one_changeovers_recipes():
    """While recipes change to and fro, no part sees one half of a changeover."""
    with Station(GOOD, GOOD, deadline_ms=5000.0) as station:
        made = {name: in_force(Model(GOOD), name, 5000.0) for name in ("one", "other")}
        stop = threading.Event()

        def change_over():
            while not stop.is_set():
                for recipe in made.values():
                    with station.group.between_parts():
                        for rig in station.rigs:
                            rig.line.change_over(recipe)
                            stop.wait(0.001)

        changing = threading.Thread(target=change_over)
        changing.start()
        try:
            for number in range(100):
                station.group.trigger(time.monotonic_ns())
                until(lambda number=number: len(station.results) > number, "the part", 10)
        finally:
            stop.set()
            changing.join(5)
    recipes = {one.recipe_id for one in station.results}
    assert recipes <= {"one", "other", "recipe-0+recipe-1"}, recipes
    assert {"one", "other"} <= recipes


def test_a_part_that_is_known_to_be_lost_has_one_undefined_result_of_all_its_views():
    lost = (Reason.TRIGGER_MISSED, "nobody saw it")
    with Station(GOOD, GOOD, frames=2, interval_s=0.05) as station:
        result = station.part(lost=lost)
        assert station.part().evaluation is Evaluation.OK
    assert (result.evaluation, result.reason, len(result.views)) == (Evaluation.UNDEFINED, Reason.TRIGGER_MISSED, 4)


def test_later_exposures_follow_the_first_also_where_the_trigger_was_given_ahead():
    with Station(GOOD, deadline_ms=5000.0, frames=2, interval_s=0.1) as station:
        told, now_ns = [], time.monotonic_ns()
        station.group.trigger(now_ns - 1_000_000_000, due_ns=now_ns, on_result=told.append)
        (result,) = until(lambda: told, "the part's result", 10)
        assert time.monotonic_ns() >= now_ns + 100_000_000
    assert result.evaluation is Evaluation.OK
