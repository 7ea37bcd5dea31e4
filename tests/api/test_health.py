import logging
import re
import urllib.request

import pytest

from appliance.api.board import MqttStatus
from appliance.api.health import create_app
from appliance.health import DeviceHealth, Reason
from appliance.outbox.consumers import Confirmed, ConsumerLag

LOST = Reason(DeviceHealth.FAILURE, "CAMERA_LOST", "camera/top", "The camera is gone; check its cable.")
NO_BROKER = Reason(DeviceHealth.MAINTENANCE_REQUIRED, "MQTT_NOT_CONNECTED", "mqtt", "The broker does not answer.")
COMMISSIONING = Reason(DeviceHealth.CHECK_FUNCTION, "COMMISSIONING", "station", "It is being set up.")


def test_healthz_tells_the_whole_box_as_json(box, line):
    box.reports(line)
    box.board.mqtt_reported(MqttStatus(connected=True, broker="broker:1883", acknowledged_total=5, connects_total=1))
    answer = box.ask("/healthz")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    report = answer.json
    assert set(report) == {
        *("device_health", "since", "reasons", "station", "version"),
        *("line", "models", "cameras", "groups", "outbox", "mqtt", "consumers"),
    }
    assert (report["device_health"], report["reasons"]) == ("NORMAL", [])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", report["since"])
    assert (report["station"], report["version"]) == ("line3-box1", "1.2.3")
    assert report["line"].pop("age_ms") < 3000
    assert report["line"] == {"live": True, "ready": True, "phase": "running", "started": "2026-11-20T20:31:04.120Z"}
    assert report["models"][1] == {
        "name": "surface",
        "version": 8,
        "state": "AVAILABLE",
        "error": None,
        "engine": "litert",
        "engine_reason": "the fastest that agrees",
        "digest": "sha256:88",
        "release": None,
        "is_pointer": False,
    }
    assert report["cameras"]["top"] == {
        "state": "online",
        "detail": "",
        "parts": 100,
        "passed": 90,
        "evaluations": {"OK": 90, "NotOK": 6, "NotDecidable": 3, "Undefined": 1},
        "reasons": {"CLASS_ABOVE_LIMIT": 6, "BETWEEN_LIMITS": 3, "DEADLINE_EXPIRED": 1},
        "deadline_missed": 1,
        "lost": 0,
        "skipped": 0,
        "counters": {},
        "recipe": None,
        "job_id": None,
        "driver": None,
        "model": None,
        "serial": None,
        "notes": [],
    }
    assert report["groups"] == {}
    assert report["outbox"] == {
        "accepting": True,
        "problem": None,
        "pending": 12,
        "pending_bytes": 14_220,
        "oldest_age_ms": 400.0,
        "recorded_total": 82_397,
        "lost_total": 2,
        "kept": 4_300,
        "kept_bytes": 5_100_000,
        "kept_age_ms": 259_200_000,
        "max_bytes": 2_147_483_648,
        "state": "RECORDING",
        "unconfirmed_total": 0,
    }
    assert report["mqtt"] == {
        "connected": True,
        "broker": "broker:1883",
        "problem": None,
        "acknowledged_total": 5,
        "connects_total": 1,
        "connected_since": None,
        "refused_total": 0,
        "unheard_total": 0,
        "taken_per_s": 0.0,
        "notices": [],
    }
    assert report["consumers"] == []


def test_healthz_tells_how_far_behind_each_consumer_is(box, line):
    box.reports(line)
    behind = ConsumerLag("historian", "top", 40, 12.5, is_late=False, confirmed=Confirmed("0193", 41_207))
    box.board.consumers_reported([behind, ConsumerLag("mes", "top", 900, 720, is_late=True, confirmed=None)])
    historian, mes = box.ask("/healthz").json["consumers"]
    assert historian == {
        "consumer": "historian",
        "camera": "top",
        "results": 40,
        "behind_ms": 12_500,
        "is_late": False,
        "confirmed": {"stream": "0193", "sequence": 41_207},
    }
    assert (mes["is_late"], mes["confirmed"]) == (True, None)


@pytest.mark.parametrize("health", DeviceHealth)
def test_healthz_is_503_for_failure_and_for_nothing_else(box, line, health):
    box.reports(line, reasons=[Reason(health, "CODE", "part", "A sentence.")])
    answer = box.ask("/healthz")
    assert answer.status == (503 if health is DeviceHealth.FAILURE else 200)
    assert answer.json["device_health"] == health.value
    assert answer.json["reasons"] == [
        {"device_health": health.value, "code": "CODE", "component": "part", "message": "A sentence."}
    ]


def test_before_the_line_reports_every_probe_answers_and_says_so(box):
    assert box.ask("/healthz").json["device_health"] == "CHECK_FUNCTION"
    for path in ("/livez", "/readyz"):
        answer = box.ask(path)
        assert answer.status == 503
        assert answer.json["error"].startswith("The line has not reported yet")
    assert box.ask("/metrics").status == 200
    assert box.ask("/").status == 200


def test_a_line_that_is_gone_fails_all_three_probes_with_the_reason(box, line):
    box.reports(line)
    box.board.line_gone("The line's process ended.")
    for path in ("/healthz", "/livez", "/readyz"):
        answer = box.ask(path)
        assert answer.status == 503
        assert answer.json["reasons"][0]["message"] == "The line's process ended."


def test_livez_is_200_while_the_line_reports_however_ill_it_is(box, line):
    box.reports(line, reasons=[LOST], takes_parts=False)
    answer = box.ask("/livez")
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_readyz_is_200_when_a_part_that_came_now_would_be_judged(box, line):
    box.reports(line, reasons=[NO_BROKER])
    answer = box.ask("/readyz")
    assert (answer.status, answer.body) == (200, b"ok\n")


def test_readyz_names_the_reason_that_stops_parts_and_shows_all(box, line):
    box.reports(line, takes_parts=False, reasons=[NO_BROKER, COMMISSIONING])
    answer = box.ask("/readyz")
    assert answer.status == 503
    assert answer.json["error"] == "It is being set up."
    assert [reason["code"] for reason in answer.json["reasons"]] == ["COMMISSIONING", "MQTT_NOT_CONNECTED"]


def test_readyz_does_not_blame_a_reason_that_does_not_stop_parts(box, line):
    box.reports(line, takes_parts=False, reasons=[NO_BROKER])
    assert box.ask("/readyz").json["error"] == "Parts that come now are not judged, and the line gives no reason."


def test_the_schema_is_served_byte_for_byte(box):
    answer = box.ask("/schema/result.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json["title"] == "result"
    assert answer.body.endswith(b"}\n")


def test_what_is_said_over_mqtt_is_described_and_its_schemas_are_listed(box):
    answer = box.ask("/asyncapi.json")
    assert (answer.status, answer.json) == (200, {"asyncapi": "3.0.0"})
    assert answer.headers["content-type"] == "application/vnd.aai.asyncapi+json;version=3.0.0"
    answer = box.ask("/schema/")
    assert (answer.headers["content-type"], answer.json) == ("application/json", {"schemas": ["/schema/result.json"]})
    page = box.ask("/").body.decode()
    for path in ("/asyncapi.json", "/schema/"):
        assert f'href="{path}"' in page


@pytest.mark.parametrize("path", ["/nope", "/healthz/", "/healthz//x", "/v1", "/v2/models/surface", "/schema/../etc"])
def test_an_unknown_path_is_404_with_one_sentence(box, path):
    answer = box.ask(path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"error"}
    assert answer.json["error"].endswith("/ lists what is here.")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/", "/nope"])
def test_other_verbs_are_405_with_one_sentence(box, method, path):
    answer = box.ask(path, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json == {"error": f"Only GET and HEAD are answered here, not {method}."}


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics", "/schema/result.json", "/"])
def test_head_answers_as_get_without_a_body(box, line, path):
    box.reports(line)
    head, get = box.ask(path, "HEAD"), box.ask(path)
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_nothing_is_cached_or_sniffed_or_framed(box):
    for path in ("/", "/healthz", "/nope"):
        headers = box.ask(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_fault_of_ours_is_500_with_one_sentence_and_its_trace_is_logged(line, caplog):
    class Broken:
        def overview(self, now_ns):
            raise ValueError("a bug")

    client = create_app(Broken(), version="1").test_client()
    with caplog.at_level(logging.ERROR):
        answer = client.get("/healthz")
    assert answer.status_code == 500
    assert "fault of the software" in answer.json["error"]
    assert "a bug" in caplog.text


def test_the_page_shows_the_box_at_a_glance(box, line):
    box.reports(line, reasons=[NO_BROKER])
    answer = box.ask("/")
    page = answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for text in (
        "<h1>MAINTENANCE REQUIRED</h1>",
        "The broker does not answer.",
        "line3-box1",
        "appliance 1.2.3",
        "90.0 %",
        "golden sample 3 scored 0.41",
        "CLASS_ABOVE_LIMIT",
        "82\N{THIN SPACE}397",
        'href="/healthz"',
        'http-equiv="refresh"',
    ):
        assert text in page


def test_the_page_needs_nothing_from_elsewhere(box, line):
    box.reports(line)
    page = box.ask("/").body.decode()
    assert "<script" not in page
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", page)


def test_the_page_says_how_old_it_is_when_the_line_is_gone(box, line):
    box.reports(line)
    assert "was last heard" not in box.ask("/").body.decode()
    box.board.line_gone("The line's process ended.")
    assert "was last heard" in box.ask("/").body.decode()


def test_what_comes_from_outside_is_text_on_the_page_and_not_markup(box, line):
    box.reports(line, station="<b>x</b>", reasons=[Reason(LOST.health, LOST.code, "<i>", "<script>alert(1)</script>")])
    page = box.ask("/").body.decode()
    assert "<script>" not in page
    assert "<b>x</b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_every_path_that_the_page_links_to_answers(box, line):
    box.reports(line)
    links = re.findall(r'href="(/[^"]*)"', box.ask("/").body.decode())
    assert len(links) == 9
    for link in links:
        with urllib.request.urlopen(f"http://127.0.0.1:{box.server.port}{link}", timeout=10) as response:
            assert response.status == 200
