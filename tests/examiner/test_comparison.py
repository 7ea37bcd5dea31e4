"""Both models' decisions on the same parts, as a table."""

import pytest

from appliance.examiner.comparison import Comparison, Judged


def judged(evaluation, call_ms=1.0, **scores):
    return Judged(evaluation, scores, call_ms)


@pytest.mark.parametrize(
    ("serving", "candidate", "counted"),
    [
        ("OK", "OK", {"parts": 1, "agreed": 1}),
        ("NotOK", "NotOK", {"parts": 1, "agreed": 1}),
        ("OK", "NotOK", {"parts": 1, "new_rejects": 1}),
        ("OK", "NotDecidable", {"parts": 1, "new_rejects": 1}),
        ("NotOK", "OK", {"parts": 1, "new_passes": 1}),
        ("NotDecidable", "OK", {"parts": 1, "new_passes": 1}),
        ("NotOK", "NotDecidable", {"parts": 1}),
        ("Undefined", "OK", {"skipped": 1}),
        ("Undefined", "Undefined", {"skipped": 1}),
        ("OK", "Undefined", {"failed": 1}),
    ],
)
def test_a_part_counts_once(serving, candidate, counted):
    comparison = Comparison()
    comparison.compare(judged(serving), judged(candidate))
    found = comparison.report(0).as_json()
    names = ("parts", "agreed", "new_passes", "new_rejects", "failed", "skipped")
    assert {name: found[name] for name in names if found[name]} == counted


def test_drift_is_between_the_means_and_of_the_label_that_moved_most():
    comparison = Comparison()
    comparison.compare(judged("OK", good=0.9, dent=0.1), judged("OK", good=0.7, dent=0.1))
    comparison.compare(judged("OK", good=0.8, dent=0.0), judged("OK", good=0.8, dent=0.1))
    found = comparison.report(0)
    assert (found.max_score_drift, found.drift_label) == (pytest.approx(0.1), "good")


def test_a_label_that_only_one_of_them_knows_drifts_from_zero():
    comparison = Comparison()
    comparison.compare(judged("OK", good=0.6), judged("OK", good=0.6, burr=0.4))
    found = comparison.report(0)
    assert (found.max_score_drift, found.drift_label) == (pytest.approx(0.4), "burr")


def test_scores_of_parts_that_are_not_compared_do_not_drift():
    comparison = Comparison()
    comparison.compare(judged("Undefined", good=1.0), judged("OK", good=0.0))
    comparison.compare(judged("OK", good=1.0), judged("Undefined", good=0.0))
    assert comparison.report(0).max_score_drift == 0


def test_medians_are_of_each_models_calls():
    comparison = Comparison()
    for serving, candidate in ((1.0, 2.0), (100.0, 3.0), (2.0, 400.0)):
        comparison.compare(judged("OK", serving), judged("OK", candidate))
    found = comparison.report(7.5)
    assert (found.serving_ms_median, found.candidate_ms_median, found.seconds) == (2.0, 3.0, 7.5)


def test_parts_between_two_that_are_shown_are_skipped_camera_by_camera():
    comparison = Comparison()
    for camera, number in (("top", 5), ("side", 900), ("top", 6), ("top", 9), ("side", 901), ("top", 2)):
        comparison.see(camera, number)
    assert comparison.report(0).skipped == 2


def test_nothing_seen_is_nothing_found():
    found = Comparison().report(1.0)
    assert (found.parts, found.candidate_ms_median, found.drift_label) == (0, None, None)
