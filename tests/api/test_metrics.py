import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.api.board import MqttStatus
from appliance.health import DeviceHealth, Reason
from appliance.outbox.consumers import ConsumerLag
from appliance.status import LATENCY_BUCKETS_MS, STAGES, Histogram


@pytest.fixture
def scrape(box):
    def scrape():
        answer = box.ask("/metrics", Accept="application/openmetrics-text;version=nonsense")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}

    return scrape


def value(families, family, sample=None, **labels):
    found = [one.value for one in families[family].samples if one.name == (sample or family) and one.labels == labels]
    assert len(found) == 1, families[family].samples
    return found[0]


def test_parts_are_counted_by_verdict_evaluation_reason_and_camera(box, line, scrape):
    box.reports(line)
    now = scrape()
    assert value(now, "appliance_parts", "appliance_parts_total", camera="top", verdict="pass") == 90
    assert value(now, "appliance_parts", "appliance_parts_total", camera="top", verdict="fail") == 10
    assert value(now, "appliance_parts", "appliance_parts_total", camera="side", verdict="fail") == 0
    name = "appliance_parts_by_evaluation"
    assert value(now, name, f"{name}_total", camera="top", evaluation="NotDecidable") == 3
    name = "appliance_parts_failed_by_reason"
    assert value(now, name, f"{name}_total", camera="top", reason="DEADLINE_EXPIRED") == 1
    assert value(now, "appliance_deadline_missed", "appliance_deadline_missed_total", camera="top") == 1


def test_latency_is_a_histogram_in_seconds_per_camera_and_stage(box, line, scrape):
    box.reports(line)  # 0.5, 2, 2.5, 9 and 700 ms
    now, name = scrape(), "appliance_part_latency_seconds"
    stage = {"camera": "top", "stage": "inference"}
    for bound, count in {"0.001": 1, "0.002": 2, "0.003": 3, "0.0075": 3, "0.01": 4, "0.5": 4, "+Inf": 5}.items():
        assert value(now, name, f"{name}_bucket", **stage, le=bound) == count
    assert value(now, name, f"{name}_count", **stage) == 5
    assert value(now, name, f"{name}_sum", **stage) == pytest.approx(0.714)
    assert {one.labels["stage"] for one in now[name].samples} == set(STAGES)


def test_buckets_rise_and_end_at_the_count_whatever_was_measured(box, line, scrape):
    histogram = Histogram(list(range(len(LATENCY_BUCKETS_MS) + 1)), 1.0)
    line.cameras["top"].latency["total"] = histogram
    box.reports(line)
    buckets = [
        one
        for one in scrape()["appliance_part_latency_seconds"].samples
        if one.name.endswith("_bucket") and one.labels["camera"] == "top" and one.labels["stage"] == "total"
    ]
    assert [float(one.labels["le"]) for one in buckets][:-1] == [bound / 1000 for bound in LATENCY_BUCKETS_MS]
    assert [one.value for one in buckets] == sorted(one.value for one in buckets)
    assert buckets[-1].value == sum(histogram.counts)


def test_exactly_one_device_health_is_set_and_its_reasons_are_named(box, line, scrape):
    reason = Reason(DeviceHealth.OFF_SPEC, "PARTS_TOO_FAST", "camera/top", "Parts come too fast.")
    box.reports(line, reasons=[reason, reason])
    now = scrape()
    states = {one.labels["state"]: one.value for one in now["appliance_device_health"].samples}
    assert states == {health.value: float(health is DeviceHealth.OFF_SPEC) for health in DeviceHealth}
    labels = {"code": "PARTS_TOO_FAST", "component": "camera/top", "device_health": "OFF_SPEC"}
    assert value(now, "appliance_device_health_reasons", **labels) == 2


def test_each_model_version_has_one_state_and_its_engine(box, line, scrape):
    box.reports(line)
    on = [one.labels for one in scrape()["appliance_model_state"].samples if one.value]
    assert on == [
        {"model": "surface", "version": "7", "engine": "", "state": "END"},
        {"model": "surface", "version": "8", "engine": "litert", "state": "AVAILABLE"},
    ]


def test_outbox_mqtt_memory_and_cameras_are_told(box, line, scrape):
    box.reports(line)
    box.board.mqtt_reported(
        MqttStatus(
            connected=True,
            broker="b:1883",
            acknowledged_total=7,
            connects_total=2,
            refused_total=3,
            unheard_total=1,
            taken_per_s=812.5,
        )
    )
    now = scrape()
    assert value(now, "appliance_outbox_state", state="RECORDING") == 1
    assert value(now, "appliance_outbox_kept_results") == 4_300
    assert value(now, "appliance_outbox_kept_bytes") == 5_100_000
    assert value(now, "appliance_outbox_kept_oldest_age_seconds") == 259_200
    assert value(now, "appliance_outbox_max_bytes") == 2 * 1024**3
    assert value(now, "appliance_outbox_unconfirmed", "appliance_outbox_unconfirmed_total") == 0
    assert value(now, "appliance_mqtt_acknowledged", "appliance_mqtt_acknowledged_total") == 7
    assert value(now, "appliance_mqtt_acknowledged_per_second") == 812.5
    assert value(now, "appliance_mqtt_refused", "appliance_mqtt_refused_total") == 3
    assert value(now, "appliance_mqtt_unheard", "appliance_mqtt_unheard_total") == 1
    assert value(now, "appliance_outbox_pending_results") == 12
    assert value(now, "appliance_outbox_pending_bytes") == 14_220
    assert value(now, "appliance_outbox_oldest_age_seconds") == 0.4
    assert value(now, "appliance_outbox_recorded", "appliance_outbox_recorded_total") == 82_397
    assert value(now, "appliance_outbox_lost", "appliance_outbox_lost_total") == 2
    assert value(now, "appliance_mqtt_connected") == 1
    assert value(now, "appliance_mqtt_connects", "appliance_mqtt_connects_total") == 2
    assert value(now, "appliance_line_resident_memory_bytes") == 412_000_000
    assert value(now, "appliance_camera_state", camera="top", state="online") == 1
    assert value(now, "appliance_camera_state", camera="top", state="frozen") == 0
    assert value(now, "appliance_info", version="1.2.3", station="line3-box1") == 1
    assert value(now, "appliance_gateway_process_resident_memory_bytes") > 1_000_000


def test_each_consumers_lag_is_told(box, line, scrape):
    box.reports(line)
    assert "appliance_consumer_late" not in scrape()
    box.board.consumers_reported(
        [
            ConsumerLag("mes", "top", 900, 720.5, is_late=True, confirmed=None),
            ConsumerLag("mes", "side", 0, 0, is_late=False, confirmed=None),
        ]
    )
    now = scrape()
    assert value(now, "appliance_consumer_unconfirmed_results", consumer="mes", camera="top") == 900
    assert value(now, "appliance_consumer_behind_seconds", consumer="mes", camera="top") == 720.5
    assert value(now, "appliance_consumer_late", consumer="mes", camera="top") == 1
    assert value(now, "appliance_consumer_late", consumer="mes", camera="side") == 0


def test_a_line_that_does_not_report_has_no_figures_that_look_alive(box, line, scrape):
    box.reports(line)
    assert "appliance_parts" in scrape()
    box.board.line_gone("The line's process ended.")
    now = scrape()
    assert not {
        "appliance_parts",
        "appliance_model_state",
        "appliance_camera_state",
        "appliance_outbox_accepting",
    } & set(now)
    assert value(now, "appliance_line_live") == 0
    assert value(now, "appliance_line_ready") == 0
    assert value(now, "appliance_device_health", state="FAILURE") == 1


def test_every_family_says_what_it_is_and_names_its_unit(box, line):
    box.reports(line)
    text = box.ask("/metrics").body.decode()
    families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    helped = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    assert families
    for name, kind in families:
        assert name.startswith("appliance_")
        assert len(helped[name]) > 10
        assert (kind == "counter") == name.endswith("_total")
        assert not re.search(r"_(ms|us|ns|kb|mb)$", name)


def test_names_from_outside_cannot_break_the_text(box, line, scrape):
    line.cameras['t"o\\p\n'] = line.cameras.pop("top")
    box.reports(line)
    now = scrape()
    assert value(now, "appliance_parts", "appliance_parts_total", camera='t"o\\p\n', verdict="pass") == 90
