"""Which engine serves, and the sentence that says why."""

import re

import numpy as np
import pytest

from appliance.runtimes.prepare.choice import choose, reason
from appliance.runtimes.prepare.parity import Tolerance, compare
from appliance.runtimes.prepared import Trial

ORDER = ("litert", "tensorflow-frozen", "tensorflow-saved-model")


def trial(cpu_ms, wall_ms=None):
    return Trial(
        load_s=0.1, first_run_ms=9.0, p50_ms=wall_ms or cpu_ms, p99_ms=9.0, cpu_p50_ms=cpu_ms, resident_bytes=1
    )


def chosen(litert=None, frozen=None, exported=1.0, threads=1):
    times = dict(zip(ORDER, (litert, frozen, exported), strict=True))
    return choose({name: trial(time) for name, time in times.items() if time is not None}, ORDER, threads)[0]


def test_the_fastest_engine_serves():
    assert chosen(litert=3.0, frozen=2.0, exported=4.0) == "tensorflow-frozen"
    assert chosen(litert=1.0, frozen=2.0, exported=4.0) == "litert"
    assert chosen(litert=3.0, frozen=2.0, exported=1.0) == "tensorflow-saved-model"


def test_of_engines_that_are_as_fast_the_first_named_serves():
    assert chosen(litert=1.05, frozen=1.0, exported=2.0) == "litert"
    assert chosen(litert=1.15, frozen=1.0, exported=2.0) == "tensorflow-frozen"


def test_microseconds_between_tiny_models_decide_nothing():
    assert chosen(frozen=0.097, exported=0.036) == "tensorflow-frozen"
    assert chosen(litert=0.137, exported=0.036) == "tensorflow-saved-model"


def test_the_saved_model_serves_where_nothing_else_can():
    assert chosen() == "tensorflow-saved-model"


def test_on_one_thread_other_programs_do_not_count():
    trials = {"litert": trial(1.0, wall_ms=9.0), "tensorflow-saved-model": trial(2.0)}
    assert choose(trials, ORDER, 1)[0] == "litert"
    assert choose(trials, ORDER, 2)[0] == "tensorflow-saved-model"


def test_the_reason_names_what_was_not_possible_first():
    trials = {"tensorflow-frozen": trial(2.0), "tensorflow-saved-model": trial(3.0)}
    engine, slower = choose(trials, ORDER, 1)
    said = reason(engine, trials, {"litert": "litert is not possible (no)"} | slower, ORDER, 1)
    assert said == "tensorflow-frozen takes 2 ms: litert is not possible (no); tensorflow-saved-model takes 3 ms"


def answers(**outputs):
    return {"serving_default": {0: {alias: np.asarray(values) for alias, values in outputs.items()}}}


def disagreement(reference, found, absolute=1e-4, relative=1e-4):
    return compare(reference, found, Tolerance(absolute, relative)).disagreement


F = np.float32


def test_equal_answers_agree():
    same = answers(scores=F([[0.9, 0.1]]), best=np.array([0]), label=np.array([b"good"]))
    assert disagreement(same, same) is None


def test_small_differences_agree_and_are_measured():
    compared = compare(answers(y=F([0.5])), answers(y=F([0.50005])), Tolerance(1e-4, 0))
    assert compared.disagreement is None
    assert compared.largest_difference == pytest.approx(5e-5, rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "given", "said"),
    [
        (F([0.5]), F([0.51]), "differs by 0.01, more than 0.00015"),
        (F([[0.5]]), F([0.5]), r"float32\[1\] instead of float32\[1, 1\]"),
        (F([0.5]), np.float64([0.5]), r"float64\[1\] instead of float32\[1\]"),
        (np.array([1]), np.array([2]), "have to be equal"),
        (np.array([b"good"]), np.array([b"bad"]), "have to be equal"),
        (F([np.nan, 1]), F([0, 1]), "not finite"),
        (F([1, 1]), F([np.inf, 1]), "not finite"),
    ],
)
def test_other_answers_disagree_in_a_sentence(wanted, given, said):
    found = disagreement(answers(y=wanted), answers(y=given))
    assert found.startswith("signature 'serving_default', sample 0, output 'y': ")
    assert re.search(said, found)


def test_large_numbers_may_differ_by_more():
    assert disagreement(answers(y=F([20_000, 1])), answers(y=F([20_001, 1.5]))) is None
    assert disagreement(answers(y=F([1, 1])), answers(y=F([1, 1.5]))) is not None


def test_another_class_first_disagrees_even_within_a_wide_tolerance():
    reference, found = answers(scores=F([[0.40, 0.30, 0.30]])), answers(scores=F([[0.35, 0.25, 0.351]]))
    assert "another class comes first" in disagreement(reference, found, absolute=0.06, relative=0)


def test_classes_as_good_as_equal_may_change_places():
    assert disagreement(answers(scores=F([[0.50001, 0.49999]])), answers(scores=F([[0.49999, 0.50001]]))) is None


def test_a_missing_answer_disagrees():
    assert "no answer" in disagreement(answers(y=F([1])), {})


def test_places_that_are_not_finite_in_both_agree():
    assert disagreement(answers(y=F([np.nan, np.inf])), answers(y=F([np.nan, np.inf]))) is None
