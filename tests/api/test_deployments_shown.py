"""Deliveries on the page and in the metrics."""

import html
import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families
from steering.boxes import DIGEST, deployment, document

from appliance.api.board import Deliveries
from appliance.registry.deployments.states import State
from appliance.steering.counting import Counting
from appliance.steering.sentences import flags_of, notes_of, reports_of, size, wait_of

LOADING = deployment(3, state=State.DOWNLOADING, bytes_total=200_000_000, bytes_done=50_000_000, bytes_fetched=1000)
SHADOW = {
    "parts": 120,
    "agreed": 118,
    "new_passes": 0,
    "new_rejects": 2,
    "failed": 0,
    "skipped": 4,
    "max_score_drift": 0.0312,
    "drift_label": "dent",
    "candidate_ms_median": 4.2,
    "serving_ms_median": 4.0,
    "elapsed_s": 60.0,
    "passed": True,
}


def text_of(page):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page.body.decode())))


def show(box, *documents):
    counting = Counting()
    for one in documents:
        counts = counting.take(one)
    box.board.deliveries_reported(Deliveries(documents[-1], counts))


def figures(box):
    families = text_string_to_metric_families(box.ask("/metrics").body.decode())
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def test_the_page_shows_what_serves_and_how_far_the_live_one_is(box, line):
    box.reports(line)
    show(box, document(LOADING))
    page = box.ask("/")
    shown = text_of(page)
    assert "Deliveries of surface" in shown
    assert f"serves release 7 version 7 digest {DIGEST[7:19]}" in shown
    assert '<li class="done">pending</li><li class="now">downloading</li>' in page.body.decode()
    assert "50 MB of 200 MB" in shown
    assert "asked for by poll" in shown


def test_the_page_shows_reports_waits_flags_and_why_one_failed(box):
    waiting = deployment(4, state=State.STAGED, waiting_for="approval", release=8, reports={"shadow": SHADOW})
    show(box, document(waiting, flags={"paused": True, "pinned": 7, "revoked": True, "stale": False}))
    shown = text_of(box.ask("/"))
    assert "release 8 staged since" in shown
    assert "waits for a person's approval" in shown
    assert "shadow: passed; 120 parts seen, 98.3 % agreed" in shown
    for flag in ("paused", "pinned to release 7", "revoked"):
        assert flag in shown
    failed = replace(waiting, state=State.FAILED, reason="agreement", detail="It <b>disagrees</b>.", waiting_for=None)
    show(box, document(failed))
    page = box.ask("/").body.decode()
    assert "It &lt;b&gt;disagrees&lt;/b&gt;." in page
    assert 'class="wrong">release 8 failed' in page


def test_the_page_says_what_could_be_had_only_where_there_is_something(box):
    show(box, document(LOADING))
    assert "update available" not in text_of(box.ask("/"))
    show(box, document(LOADING, update_available={"reference": "oci://r/x:y"}))
    assert "update available: oci://r/x:y" in text_of(box.ask("/"))


def test_a_box_without_deliveries_shows_no_panel(box, line):
    box.reports(line)
    box.board.deliveries_reported(None)
    assert "Deliveries of" not in text_of(box.ask("/"))
    assert not [name for name, *_ in figures(box) if name.startswith("appliance_deployment")]


def test_metrics_tell_state_releases_flags_and_ages(box):
    show(box, document(LOADING, models=("surface", "seal")))
    found = figures(box)
    assert found["appliance_deployment_state", "downloading", "surface"] == 1
    assert found["appliance_deployment_state", "pending", "surface"] == 0
    assert ("appliance_deployment_state", "pending", "seal") not in found
    assert found["appliance_deployment_release", "active", "surface"] == 7
    assert found["appliance_deployment_flag", "seal", "stale"] == 0
    assert found["appliance_deployment_last_look_age_seconds", "surface"] >= 0
    assert found["appliance_deployments_total", "rolled_back", "seal"] == 0


def test_metrics_count_what_ends_and_what_is_fetched_from_the_start_on(box):
    ended = deployment(1, state=State.SUCCESS, bytes_fetched=5)
    more = replace(LOADING, bytes_fetched=3000)
    done = replace(more, state=State.REJECTED, bytes_fetched=3500)
    show(box, document(LOADING, ended), document(more, ended), document(done, ended), document(done, ended))
    found = figures(box)
    assert found["appliance_deployments_total", "rejected", "surface"] == 1
    assert found["appliance_deployments_total", "success", "surface"] == 0, "it had ended before"
    assert found["appliance_deployment_fetched_bytes_total", "surface"] == 2500


def test_reports_are_sentences_and_an_unknown_one_is_told_too():
    one = deployment(
        1,
        reports={
            "probation": {
                "parts": 50,
                "late": 0,
                "undefined": 1,
                "failed_parts": 5,
                "baseline_parts": 100,
                "baseline_failed_parts": 8,
                "restarts": 0,
                "running_digest": DIGEST,
                "passed": None,
            },
            "acceptance": {"passed": True, "sentence": "40 golden samples agree within 0.001."},
            "smell": {"passed": False, "worst_ppm": 3},
        },
    ).as_json()
    assert reports_of(one) == [
        "acceptance: passed; 40 golden samples agree within 0.001.",
        "probation: so far; 50 parts, 0 late, 1 undefined, 10.0 % fail (8.0 % before)",
        "smell: not passed; worst ppm 3",
    ]
    assert reports_of(deployment().as_json()) == []


def test_words_for_waits_flags_and_sizes():
    assert wait_of(deployment(waiting_for="window").as_json()) == "waits for the next window"
    assert wait_of(deployment(waiting_for="godot").as_json()) == "waits for godot"
    part = document(
        flags={"paused": False, "pinned": 0, "revoked": False, "stale": True}, flag_details={"stale": "Why."}
    )
    assert flags_of(part["models"]["surface"]) == ["pinned to release 0", "stale"]
    assert notes_of(part["models"]["surface"]) == ["pinned to release 0", "Why."]
    trouble = document(flag_details={"source": "It does not answer.", "store_0": "Half a file."})
    assert notes_of(trouble["models"]["surface"]) == ["It does not answer.", "Half a file."]
    assert [size(count) for count in (0, 999, 94_100_000, 2e9)] == ["0 B", "999 B", "94.1 MB", "2 GB"]
