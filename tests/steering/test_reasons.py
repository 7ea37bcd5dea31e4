"""Which findings about deliveries count for the device health."""

from steering.boxes import deployment, document

from appliance.registry.deployments.states import State
from appliance.steering.reasons import reasons_of


def codes(whole):
    return [(reason.code, reason.health.value, reason.component) for reason in reasons_of(whole)]


def test_a_box_that_does_well_has_none():
    failed = deployment(1, state=State.FAILED, detail="It disagrees.")
    assert codes(document(failed, flags={"paused": True, "pinned": 7, "revoked": False, "stale": False})) == []


def test_each_finding_is_said_once_in_the_delivery_processs_own_words():
    lost = deployment(1, state=State.ROLLBACK_FAILED, detail="It could not be taken back.")
    flags = {"paused": False, "pinned": None, "revoked": True, "stale": True}
    whole = document(lost, flags=flags, flag_details={"revoked": "Revoked.", "store_0": "Half a file.", "source": "x"})
    assert codes(whole) == [
        ("MODEL_REVOKED", "OFF_SPEC", "model/surface"),
        ("ROLLBACK_FAILED", "OFF_SPEC", "model/surface"),
        ("DELIVERY_STALE", "MAINTENANCE_REQUIRED", "model/surface"),
        ("MODEL_STORE", "MAINTENANCE_REQUIRED", "model/surface"),
    ]
    messages = [reason.message for reason in reasons_of(whole)]
    assert messages[:2] == ["Revoked.", "It could not be taken back."]
    assert "No registry has answered for surface" in messages[2]
