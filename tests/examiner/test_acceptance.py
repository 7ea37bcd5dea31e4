"""What a candidate has to prove before it sees a part: that it loads, fits, and gives the right answers."""

import json
import os
from pathlib import Path

import pytest
from running import until

from appliance.runtimes.digest import digest_of


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_good_candidate_is_loaded_sealed_and_accepted(bench):
    examiner = bench.start()
    loaded = examiner.next("loaded")
    assert loaded["digest"] == digest_of(bench.version)
    assert loaded["engine"] == "litert"
    assert loaded["not_sealed"] == []
    assert any("no sockets" in sentence for sentence in loaded["sealed"])
    assert 10e6 < loaded["memory_bytes"] < 80e6
    report = examiner.next("accepted")["report"]
    assert (report["passed"], report["golden_samples"], report["site_pictures"]) == (True, 6, 0)
    assert report["golden_worst"] < report["golden_tolerance"] == 0.02
    assert report["golden_worst_sample"].endswith(".jpg")
    assert [one.body["what"] for one in examiner.heard if one.kind == "progress"][-1] == "golden sample 6 of 6"
    assert os.sched_getscheduler(examiner.candidate_pid()) == os.SCHED_IDLE
    assert len([*Path(f"/proc/{examiner.candidate_pid()}/task").iterdir()]) == 1
    examiner.link.send("stop", {})
    assert examiner.ended() == 0


@pytest.mark.slow
def test_what_it_prepares_within_the_seal_is_what_the_line_will_find(bench, prepared):
    examiner = bench.start(prepare=False)
    assert examiner.next("loaded", 300)["engine"] == "litert"
    # the line prepared the same version, with the same settings, on its own
    assert {one.name for one in bench.prepared.iterdir()} == {one.name for one in prepared.iterdir()}


def test_other_scores_than_the_publishers(bench):
    def change(said):
        said["samples"][1]["scores"][1] = 0.5

    bench.change(bench.golden / "samples.json", change)
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("accepting", "golden")
    assert "scratch.jpg differs by 0.4999" in failed["detail"]
    assert failed["report"]["golden_worst_sample"] == "scratch.jpg"
    assert not failed["report"]["passed"]


def test_a_label_that_its_own_limits_contradict(bench):
    def change(said):
        said["samples"][1]["label"] = "good"

    bench.change(bench.golden / "samples.json", change)
    failed = bench.start().failed()
    assert failed["reason"] == "golden"
    assert "scratch.jpg is labelled 'good' and would be NotOK" in failed["detail"]


def test_labels_in_another_order_than_the_models(bench):
    def change(said):
        said["labels"][:2] = reversed(said["labels"][:2])

    bench.change(bench.version / "assets.extra" / "inspection.json", change)
    failed = bench.start().failed()
    assert failed["reason"] == "golden"
    assert "good.jpg is labelled 'good' and would be NotOK" in failed["detail"]


def test_a_picture_larger_than_the_model_takes(bench):
    def change(said):
        said["input"] |= {"width": 8192, "height": 8192}

    bench.change(bench.version / "assets.extra" / "inspection.json", change)
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "does_not_fit")
    assert "8192" in failed["detail"]


def test_without_golden_samples_nothing_is_accepted(bench):
    (bench.golden / "samples.json").unlink()
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("accepting", "golden_missing")
    assert "assets.extra/golden/samples.json" in failed["detail"]
    assert "appliance package" in failed["detail"]


def test_a_whole_frame_goes_through_the_packages_preprocessing(bench, scene):
    import cv2

    cv2.imwrite(str(bench.golden / "frame.png"), scene.part(3, "scratch", 1.0)[0])

    def add(said):
        said["samples"] = [
            {"file": "frame.png", "frame": True, "label": "scratch", "scores": [0, 1, 0, 0, 0], "tolerance": 0.2}
        ]

    bench.change(bench.golden / "samples.json", add)
    assert bench.start().next("accepted")["report"]["golden_worst_sample"] == "frame.png"


def test_what_was_verified_is_not_what_lies_there(bench):
    failed = bench.start(digest="sha256:" + "0" * 64).failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "changed")
    assert digest_of(bench.version) in failed["detail"]


def test_a_recipe_that_it_does_not_fit(bench):
    bench.configure(recipe='labels = ["good", "bad"]\nlimits = { per_class = { bad = 0.5 } }')
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "does_not_fit")
    assert "recipes.plate" in failed["detail"]


def test_a_candidate_larger_than_the_box_allows(bench):
    bench.configure(resources="model_memory_mb = 16")
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "oom")
    assert "resources.model_memory_mb allows 16" in failed["detail"]


def test_the_sites_own_pictures_are_judged_too(bench, site):
    folder = site(good=["good"] * 3, scratch=["scratch"] * 2, burr=["dent"])
    bench.configure(delivery=f"golden_folder = {str(folder)!r}")
    report = bench.start().next("accepted")["report"]
    assert (report["site_pictures"], report["site_good"], report["site_bad"]) == (6, 3, 3)
    assert (report["site_escapes"], report["site_false_rejects"]) == (0, 0)
    assert "burr are none of its labels and counted as bad" in report["sentence"]


def test_one_escape_is_one_too_many_unless_the_operator_allows_it(bench, site):
    folder = site(good=["good"], scratch=["scratch", "good"])
    bench.configure(delivery=f"golden_folder = {str(folder)!r}\nmax_escapes = 1")
    assert bench.start().next("accepted")["report"]["site_escapes"] == 1
    bench.configure(delivery=f"golden_folder = {str(folder)!r}")
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("accepting", "escapes")
    assert "scratch/good-1.png" in failed["detail"]
    assert failed["report"]["site_escapes"] == 1


def test_good_parts_that_would_not_pass(bench, site):
    folder = site(good=["good", "stain"])
    bench.configure(delivery=f"golden_folder = {str(folder)!r}\nmax_false_rejects = 0.4")
    failed = bench.start().failed()
    assert failed["reason"] == "false_rejects"
    assert "good/stain-1.png" in failed["detail"]


def test_a_picture_that_is_none(bench, site):
    folder = site(good=["good"])
    (folder / "good" / "zz.png").write_bytes(b"no picture")
    bench.configure(delivery=f"golden_folder = {str(folder)!r}")
    failed = bench.start().failed()
    assert (failed["stage"], failed["reason"]) == ("accepting", "site_pictures")
    assert "good/zz.png" in failed["detail"]


def test_it_ends_when_the_delivery_process_does(bench):
    examiner = bench.start()
    examiner.next("accepted")
    pid = examiner.candidate_pid()
    examiner.link.close()
    assert examiner.ended() == 3
    until(lambda: not is_alive(pid), "the candidate's process to end", 5)


def test_killing_what_waits_ends_the_candidate_as_well(bench):
    examiner = bench.start()
    examiner.next("accepted")
    pid = examiner.candidate_pid()
    examiner.process.kill()
    until(lambda: not is_alive(pid), "the candidate's process to end", 5)


def test_it_is_read_again_at_each_start(bench):
    """An operator's file that cannot be used is said, and not a crash."""
    bench.prepare()
    bench.config.write_text("[station]\n")
    failed = bench.start(prepare=False).failed()
    assert failed["reason"] == "load_error"
    assert str(bench.config) in failed["detail"]
    assert json.dumps(failed)
