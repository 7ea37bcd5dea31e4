"""Real photographs of real parts, from the folder camera to a subscriber, judged by a model trained a minute before."""

import shutil
from pathlib import Path

import pytest
from training.screws import train

SCREWS = Path(__file__).parents[2] / "shared" / "data" / "defects" / "screws"


@pytest.mark.skipif(not SCREWS.is_dir(), reason=f"NOT VERIFIED: the photographs are not at {SCREWS}")
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_parts_that_the_training_never_saw_get_the_verdict_of_their_label(appliance, subscriber, tmp_path):
    trained = train(SCREWS, tmp_path / "models", seed=3)
    shown = tmp_path / "pictures"
    shown.mkdir()
    labels = []
    for number, part in enumerate(trained.held_out):
        shutil.copyfile(part.path, shown / f"{number:03d}{part.path.suffix}")
        labels.append(part.label)
    line = appliance(
        camera=f'driver = "folder"\nfolder = "{shown}"\nrepeat = false',
        line="takt_ms = 400",
        recipe="deadline_ms = 400",
        base_path=trained.model_dir.parent,
    ).start("--once")
    assert line.wait(300) == 0, line.log()
    results = subscriber.results
    assert [result["trigger_id"] for result in results] == list(range(len(labels)))
    assert not [result for result in results if result["evaluation"] == "Undefined"]
    assert {"pass", "fail"} == set(labels)
    escapes = [n for n, label in enumerate(labels) if label == "fail" and results[n]["verdict"] == "pass"]
    assert escapes == []
    false_rejects = [n for n, label in enumerate(labels) if label == "pass" and results[n]["verdict"] == "fail"]
    assert len(false_rejects) <= 0.1 * labels.count("pass"), [results[n]["classes"] for n in false_rejects]
    assert all(one["region"] for result in results for one in result["classes"])
    missing = [next(one["score"] for one in result["classes"] if one["label"] != "present") for result in results]
    bad = [score for score, label in zip(missing, labels, strict=True) if label == "fail"]
    good = [score for score, label in zip(missing, labels, strict=True) if label == "pass"]
    in_order = sum((b > g) + 0.5 * (b == g) for b in bad for g in good)
    assert in_order / (len(bad) * len(good)) >= 0.99
