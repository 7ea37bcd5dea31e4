"""From what the parts say to NE 107: the same snapshots give the same reasons."""

from dataclasses import replace

import pytest

from appliance.diagnosis import Findings, diagnose
from appliance.health import DeviceHealth, worst
from appliance.status import (
    CameraStatus,
    CanaryStatus,
    DeliveredStatus,
    FeedStatus,
    LineStatus,
    ModelStatus,
    OutboxStatus,
    ReleaseStatus,
    ReleaseTally,
)

SERVING = ModelStatus("surface", 1, "AVAILABLE", None, "litert", "fastest", "sha256:0")
WELL = Findings(
    phase="running",
    cameras={"top": CameraStatus(state="online")},
    finished=frozenset(),
    late_now=frozenset(),
    self_tests={"top": None},
    models=(SERVING,),
    used=frozenset({"surface"}),
    sources={},
    outbox=OutboxStatus(True, None, 3, 5000, 0.1, 100, 0, kept=1000, kept_bytes=95_000, max_bytes=100_000),
    gateway=None,
    surface=None,
    config=None,
)
FAILED = ModelStatus("surface", 2, "END", "version 2 is broken", None, None, None)
FIVE = ReleaseStatus(5, 105, "sha256:5", "AVAILABLE")
DELIVERED = DeliveredStatus(
    pointer=FIVE,
    current=5,
    loaded=[FIVE, ReleaseStatus(6, 106, "sha256:6", "END", "it does not fit")],
    swaps=2,
    swap_ms=0.02,
    noticed_ms=0.9,
    tallies={"5": ReleaseTally(5, 105, "2026-01-01T00:00:00.000Z", 10, 9, 0, 0)},
    canary=CanaryStatus(6, 106, "2026-01-01T00:00:00.000Z", parts=3),
    feed=FeedStatus(10, 8, 2),
)
SPOILT = replace(DELIVERED, code="MODEL_CHANGED_ON_DISK", problem="release 5 is not what was verified")
LOADING = ModelStatus("surface", 1, "LOADING", None, None, None, None)


@pytest.mark.parametrize(
    ("change", "health", "codes"),
    [
        ({}, DeviceHealth.NORMAL, []),
        ({"triggers": {"top": "the pin is gone"}}, DeviceHealth.FAILURE, ["TRIGGER_LOST"]),
        ({"cameras": {"top": CameraStatus("offline", "gone")}}, DeviceHealth.FAILURE, ["CAMERA_LOST"]),
        ({"cameras": {"top": CameraStatus("frozen", "same")}}, DeviceHealth.FAILURE, ["CAMERA_FROZEN"]),
        (
            {"cameras": {"top": CameraStatus("offline", "end")}, "finished": frozenset({"top"})},
            DeviceHealth.CHECK_FUNCTION,
            ["NO_MORE_PICTURES"],
        ),
        ({"late_now": frozenset({"top"})}, DeviceHealth.OFF_SPEC, ["DEADLINES_MISSED"]),
        ({"models": ()}, DeviceHealth.FAILURE, ["NO_MODEL"]),
        ({"models": (LOADING,)}, DeviceHealth.FAILURE, ["NO_MODEL"]),
        ({"models": (LOADING,), "phase": "starting"}, DeviceHealth.CHECK_FUNCTION, ["STARTING"]),
        ({"models": (FAILED,)}, DeviceHealth.FAILURE, ["NO_MODEL"]),
        ({"models": (FAILED, SERVING)}, DeviceHealth.MAINTENANCE_REQUIRED, ["MODEL_NOT_UPDATED"]),
        ({"sources": {"surface": "no such folder"}}, DeviceHealth.MAINTENANCE_REQUIRED, ["MODEL_NOT_UPDATED"]),
        ({"self_tests": {"top": "CUDA error"}}, DeviceHealth.FAILURE, ["MODEL_FAILED"]),
        ({"outbox": OutboxStatus(False, "disk full", 3, 5, 0, 0, 0)}, DeviceHealth.FAILURE, ["NOT_RECORDED"]),
        ({"outbox": OutboxStatus(True, "was damaged", 3, 5, 0, 0, 0)}, DeviceHealth.MAINTENANCE_REQUIRED, ["OUTBOX"]),
        (
            {"outbox": OutboxStatus(True, None, 80, 80_001, 0, 0, 0, max_bytes=100_000)},
            DeviceHealth.MAINTENANCE_REQUIRED,
            ["OUTBOX_FILLING"],
        ),
        ({"gateway": "it died"}, DeviceHealth.MAINTENANCE_REQUIRED, ["GATEWAY_DOWN"]),
        ({"surface": "its port is taken"}, DeviceHealth.MAINTENANCE_REQUIRED, ["SERVING_DOWN"]),
        ({"delivery": "it died"}, DeviceHealth.MAINTENANCE_REQUIRED, ["DELIVERY_DOWN"]),
        ({"deliveries": {"surface": DELIVERED}, "models": (FAILED, SERVING)}, DeviceHealth.NORMAL, []),
        ({"deliveries": {"surface": SPOILT}}, DeviceHealth.MAINTENANCE_REQUIRED, ["MODEL_CHANGED_ON_DISK"]),
        ({"deliveries": {"surface": SPOILT}, "models": (FAILED,)}, DeviceHealth.FAILURE, ["NO_MODEL"]),
        ({"config": "refused"}, DeviceHealth.MAINTENANCE_REQUIRED, ["CONFIG_REFUSED"]),
        ({"phase": "stopping"}, DeviceHealth.CHECK_FUNCTION, ["STOPPING"]),
    ],
)
def test_each_finding_has_its_state_and_its_code(change, health, codes):
    reasons = diagnose(replace(WELL, **change))
    assert [reason.code for reason in reasons] == codes
    assert worst(reasons) is health
    assert all(reason.message for reason in reasons)


def test_a_box_is_as_well_as_its_worst_reason():
    sick = replace(WELL, gateway="it died", models=(), late_now=frozenset({"top"}))
    assert worst(diagnose(sick)) is DeviceHealth.FAILURE
    assert len(diagnose(sick)) == 3


def test_a_status_survives_its_way_to_the_gateway():
    camera = CameraStatus(state="online", parts=3, passed=2, evaluations={"OK": 2, "NotOK": 1})
    camera.latency["total"].add(12.0)
    sent = LineStatus(
        at_ns=5,
        started_utc="2026-11-20T00:00:00.000Z",
        station="box",
        phase="running",
        reasons=diagnose(replace(WELL, gateway="it died")),
        cameras={"top": camera},
        models=[SERVING],
        outbox=WELL.outbox,
        resident_bytes=7,
        takes_parts=True,
        deliveries={"surface": DELIVERED, "other": replace(SPOILT, pointer=None, canary=None, feed=None)},
    )
    assert LineStatus.from_json(sent.to_json()) == sent
