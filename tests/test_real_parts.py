"""Real photographs of real parts, through the whole box: folder camera, verdicts, MQTT; at limits that it calibrated.

What is judged here no training and no limit has seen. The figures are printed; run with -s to read them.
"""

import argparse
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from training import ballscrew_pitting, learning, metal_tags, screws, windows, xsdd_steel

from appliance import binomial
from appliance.commissioning.calibrate import add_calibrate
from appliance.inspection.calibration import Classes, LabelledPart, Sample, Wanted, place, spend
from appliance.inspection.preprocess import InputSpec

pytestmark = [
    pytest.mark.skipif(not learning.DATA.is_dir(), reason=f"NOT VERIFIED: the photographs are not at {learning.DATA}"),
    pytest.mark.timeout(1800),
]


@dataclass
class Seen:
    """What a subscriber heard of one picture."""

    case: learning.Case
    is_good: bool
    result: Mapping
    trained_scores: Mapping[str, float]
    """By label, of the row that the result's classes speak of, as the training's process gave them."""

    @property
    def is_escape(self):
        return not self.is_good and self.result["evaluation"] == "OK"

    @property
    def is_false_reject(self):
        return self.is_good and self.result["evaluation"] == "NotOK"

    @property
    def is_right(self):
        return self.is_good == (self.result["verdict"] == "pass")

    @property
    def looked_at(self):
        return self.result["evaluation"] == "NotDecidable"

    @property
    def top(self):
        return self.result["classes"][0]["label"]

    @property
    def difference(self):
        """Between training and box, of the worst score."""
        return max(abs(one["score"] - self.trained_scores[one["label"]]) for one in self.result["classes"])


def through_the_box(appliance, subscriber, folder, trained, *, good, takt_ms=400) -> list[Seen]:
    """Calibrate on the part for it, then show the held-out pictures. `good`: the kinds that are."""
    parted = trained.split
    line = appliance(
        camera=f'driver = "folder"\nfolder = "{folder / "held out"}"\nrepeat = false',
        line=f"takt_ms = {takt_ms}",
        recipe=f"deadline_ms = {takt_ms}",
        base_path=trained.model_dir.parent,
    )
    calibrate(line.config_file, parted.calibration, folder / "labelled", good)
    (folder / "held out").mkdir()
    for number, case in enumerate(parted.held_out):
        shutil.copyfile(case.path, folder / "held out" / f"{number:04d}{case.path.suffix}")
    already = len(subscriber.results)
    line.start("--once")
    assert line.wait(600) == 0, line.log()
    results = subscriber.results[already:]
    assert [result["trigger_id"] for result in results] == list(range(len(parted.held_out))), line.log()
    inspection = json.loads((trained.model_dir / "assets.extra" / "inspection.json").read_text())
    rows = [window.name for window in InputSpec.from_metadata(inspection["input"]).windows()]
    seen = []
    for case, result in zip(parted.held_out, results, strict=True):
        assert result["evaluation"] != "Undefined", result["detail"]
        row = rows.index(result["classes"][0].get("region"))
        scores = dict(zip(inspection["labels"], trained.predictions[case.path.name][row], strict=True))
        seen.append(Seen(case, case.kind in good, result, scores))
    return seen


def calibrate(config_file: Path, cases: Sequence[learning.Case], labelled: Path, good) -> None:
    """With the strictest rates that so few parts can show, by the command that a line engineer types."""
    for case in cases:
        group = labelled / ("good" if case.kind in good else "bad") / Path(case.group).name
        group.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(case.path, group / case.path.name)
    parts = [len({case.group for case in cases if (case.kind in good) is is_good}) for is_good in (True, False)]
    rates = [f"{100 * binomial.upper_bound(0, count) + 0.01:.2f}%" for count in parts]
    parser = argparse.ArgumentParser()
    add_calibrate(parser.add_subparsers())
    options = ["calibrate", "--config", config_file, "--recipe", "part", "--pictures", labelled, "--write"]
    wanted = ["--max-false-reject", rates[0], "--max-escape", rates[1]]
    parsed = parser.parse_args([str(one) for one in [*options, *wanted]])
    assert parsed.command(parsed) == 0


def told(what: str, seen: Sequence[Seen]) -> str:
    """One row of a table: pictures, and with the bound groups, because ten pictures of one plate are not ten plates."""
    good, bad = [one for one in seen if one.is_good], [one for one in seen if not one.is_good]
    figures = {
        "false rejects": ([one for one in good if one.is_false_reject], good),
        "escapes": ([one for one in bad if one.is_escape], bad),
        "NotDecidable": ([one for one in seen if one.looked_at], seen),
        "verdict wrong": ([one for one in seen if not one.is_right], seen),
    }
    shown = "; ".join(f"{name} {_of(hits, of)}" for name, (hits, of) in figures.items())
    return f"\n{what}: {shown}; scores differ by {max(one.difference for one in seen):.1e} at most"


def _of(hits: Sequence[Seen], of: Sequence[Seen]) -> str:
    groups = [len({(one.case.group, one.is_good) for one in some}) for some in (hits, of)]
    by_group = "" if groups[1] == len(of) else f"{groups[0]} of {groups[1]} groups, "
    return f"{len(hits)} of {len(of)} ({by_group}at most {100 * binomial.upper_bound(*groups):.1f} %)"


def assert_screws(seen: Sequence[Seen]) -> None:
    """What issue 5 asks of parts that the training never saw."""
    there, gone = [], []
    for one in seen:
        truth = screws.present(one.case)
        for found in one.result["regions"]:
            missing = found["score"] if found["label"] == "missing" else 1 - found["score"]
            (there if truth[found["region"]] else gone).append(missing)
    assert len(there) + len(gone) == 4 * len(seen)
    assert learning.area_under_curve(there, gone) >= 0.99
    assert [one.case.path.name for one in seen if one.is_escape] == []
    good = [one for one in seen if one.is_good]
    assert sum(not one.is_right for one in good) <= 0.05 * len(good)
    assert sum(one.is_right for one in seen) >= 0.95 * len(seen)
    assert max(one.difference for one in seen) <= 1e-3
    for one in seen:
        if one.result["evaluation"] == "NotOK":
            assert screws.present(one.case)[one.result["classes"][0]["region"]] is False, "the region that is named"


def test_screws_that_nobody_has_seen_before_are_found_missing_and_no_good_part_is_rejected(
    appliance, subscriber, tmp_path
):
    seen = through_the_box(appliance, subscriber, tmp_path, screws.kept(), good={""}, takt_ms=250)
    print(told("screws, one fifth held out", seen))
    assert_screws(seen)


def all_folds(train, folds, appliance, subscriber, folder, **options) -> list[Seen]:
    """Every picture once, judged by a model and by limits that had not seen its group."""
    seen = []
    for fold in range(folds):
        place = folder / f"fold {fold}"
        place.mkdir()
        trained = train(place / "models", fold=fold, folds=folds)
        seen += through_the_box(appliance, subscriber, place, trained, **options)
        shutil.rmtree(folder / "state" / "outbox", ignore_errors=True)
    return seen


@pytest.mark.slow
def test_screws_in_five_folds(appliance, subscriber, tmp_path):
    seen = all_folds(screws.train, screws.FOLDS, appliance, subscriber, tmp_path, good={""}, takt_ms=300)
    print(told("screws, five folds", seen))
    assert len(seen) == 100
    assert_screws(seen)


@pytest.mark.slow
def test_which_defect_of_steel_strip_it_is(appliance, subscriber, tmp_path):
    """No strip is without a mark; the marks of the finishing roll are what this line puts up with."""
    trained = xsdd_steel.train(tmp_path / "models", fold=0)
    seen = through_the_box(appliance, subscriber, tmp_path, trained, good={xsdd_steel.TOLERATED}, takt_ms=150)
    right = {kind: sum(one.top == kind == one.case.kind for one in seen) for kind in xsdd_steel.LABELS}
    said = {kind: sum(one.top == kind for one in seen) for kind in xsdd_steel.LABELS}
    are = {kind: sum(one.case.kind == kind for one in seen) for kind in xsdd_steel.LABELS}
    macro_f1 = np.mean([2 * right[kind] / (said[kind] + are[kind]) for kind in xsdd_steel.LABELS])
    accuracy = sum(right.values()) / len(seen)
    print(told(f"xsdd_steel: accuracy {accuracy:.4f} of {len(seen)}, macro-F1 {macro_f1:.4f}", seen))
    assert accuracy >= 0.95
    assert macro_f1 >= 0.93
    assert max(one.difference for one in seen) <= 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "folds", "takt_ms", "least"),
    [(metal_tags, 3, 400, 0.95), (ballscrew_pitting, 4, 700, 0.75)],
    ids=["metal_tags", "ballscrew_pitting"],
)
def test_small_defects_by_tiles_are_told_as_they_are(appliance, subscriber, tmp_path, part, folds, takt_ms, least):
    """Few plates, few places: the limits promise little, and what they do is printed. Ranking is what is asked for."""
    seen = all_folds(part.train, folds, appliance, subscriber, tmp_path, good={""}, takt_ms=takt_ms)
    good = [defect(one) for one in seen if one.is_good]
    bad = [defect(one) for one in seen if not one.is_good]
    auc = learning.area_under_curve(good, bad)
    print(told(f"{part.DATA.name}, {folds} folds, by picture AUC {auc:.3f}", seen))
    if min(len(good), len(bad)) >= 30:
        assert_limits_hold_for_others(good, bad)
    assert {one.case.row.get("phase", "late") for one in seen} == {"late"}
    assert auc >= least
    assert max(one.difference for one in seen) <= 1e-3


def assert_limits_hold_for_others(good: Sequence[float], bad: Sequence[float]) -> None:
    """200 times limits from 60 pictures, drawn from these real scores as if they were all there are."""
    draw = random.Random(5)
    wanted, classes = Wanted(false_reject=0.05), Classes(windows.LABELS, windows.LABELS[0])
    broken = by_the_sample_alone = 0
    for _ in range(200):
        drawn = [*draw.choices([(True, one) for one in good], k=60), *draw.choices([(False, one) for one in bad], k=60)]
        sample = Sample.of(
            [
                LabelledPart(f"{n}", f"{n}", is_good, None, ((None, (1 - score, score)),))
                for n, (is_good, score) in enumerate(drawn)
            ],
            classes,
        )
        (limit,) = place(sample, spend(sample, wanted)).not_ok_from.values()
        broken += np.mean(np.asarray(good) >= limit) > 0.05
        usual = np.quantile([score for is_good, score in drawn if is_good], 0.95)
        by_the_sample_alone += np.mean(np.asarray(good) >= usual) > 0.05
    print(f"limits for 5 % of 60: broken in {broken} of 200 draws; by the sample's own 95 %: {by_the_sample_alone}")
    assert broken <= 18  # 10 are promised; more than 18 happen by chance in one of 200 such tests
    assert by_the_sample_alone > 2 * 18


def defect(one: Seen) -> float:
    """Of its worst tile."""
    return next(found["score"] for found in one.result["classes"] if found["label"] == windows.LABELS[1])
