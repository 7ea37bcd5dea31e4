"""The document, what is made of it, and its schema."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from steering.boxes import AT, DIGEST, deployment, document

from appliance.registry.deployments.states import State
from appliance.steering.document import SCHEMA_PATH, deployments, event, find, flat, moved, newest_model, progress
from appliance.steering.newest import Newest, tag_of

SCHEMA = json.loads(SCHEMA_PATH.read_text())


def validator(definition=None):
    schema = SCHEMA if definition is None else {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


LIVE = deployment(
    2,
    state=State.SHADOWING,
    release=8,
    version=8,
    digest=DIGEST,
    bytes_total=2000,
    bytes_done=500,
    bytes_fetched=300,
    reports={"acceptance": {"passed": True, "samples": 40}},
)


def test_the_schema_holds_for_documents_deployments_and_messages():
    Draft202012Validator.check_schema(SCHEMA)
    whole = document(LIVE, deployment(1), models=("surface", "seal"), update_available={"release": 9})
    validator().validate(whole)
    for one in whole["deployments"]:
        validator("deployment").validate(one)
        validator("event").validate(event(whole, one))
    for name in whole["models"]:
        validator("message").validate(flat(whole, name))


def test_the_schema_knows_every_state_and_every_field():
    assert set(SCHEMA["$defs"]["state"]["enum"]) == {state.value for state in State}
    described = SCHEMA["$defs"]["deployment"]["required"] + SCHEMA["$defs"]["way"]["required"]
    assert set(described) == set(LIVE.as_json())
    with pytest.raises(ValidationError):
        validator().validate(document(replace(LIVE, digest="sha256:short")))


def test_a_flat_message_has_only_plain_values():
    message = flat(document(LIVE, update_available={"reference": "oci://r/x:y"}), "surface")
    assert not [name for name, value in message.items() if isinstance(value, (dict, list))]
    assert message["state"] == "shadowing"
    assert message["progress"] == 0.25
    assert message["active_release"] == 7
    assert message["update_available"] == "oci://r/x:y"


def test_a_model_without_any_deployment_has_a_message_too():
    message = flat(document(), "surface")
    assert (message["state"], message["progress"], message["active_version"]) == (None, None, 7)


def test_a_live_deployment_older_than_the_newest_fifty_is_found():
    whole = document(LIVE)
    whole["deployments"] = []
    assert find(whole, LIVE.id)["state"] == "shadowing"
    assert find(whole, "another") is None
    assert [one["id"] for one in deployments(document(LIVE, deployment(1)))] == [LIVE.id, deployment(1).id]


def test_who_moved_last_is_the_newest_model():
    whole = document(deployment(5, "seal"), deployment(1), models=("surface", "seal", "idle"))
    assert newest_model(whole) == "seal"
    assert newest_model(document(models=())) is None


def test_transitions_are_told_oldest_first_and_not_those_from_before_we_listened():
    before = document(LIVE)
    after = document(deployment(3), replace(LIVE, state=State.CANARY))
    assert moved(None, after) == []
    assert moved(before, before) == []
    assert [(one["id"], one["state"]) for one in moved(before, after)] == [
        (LIVE.id, "canary"),
        (deployment(3).id, "pending"),
    ]


@pytest.mark.parametrize(("done", "total", "share"), [(0, 0, None), (1, 3, 0.333), (5, 4, 1.0)])
def test_progress_is_a_share(done, total, share):
    assert progress({"bytes_done": done, "bytes_total": total}) == share


def test_a_tag_stands_for_what_the_document_says():
    newest = Newest()
    newest.take(document(LIVE, at=AT))
    first = newest.now()
    newest.take(document(LIVE, at="2026-11-21T10:00:01.000Z"))
    assert newest.now() is first, "another moment alone is nothing new"
    newest.take(document(replace(LIVE, bytes_done=501)))
    assert newest.now().tag != first.tag
    assert first.tag == tag_of(first.document)


def test_a_wait_ends_with_a_change_with_its_time_and_with_the_end():
    newest = Newest()
    assert newest.wait("another", 10).document is None
    assert newest.wait(newest.now().tag, 0.01).document is None
    newest.close()
    assert newest.wait(newest.now().tag, 60).document is None


def test_what_was_known_is_not_shown_while_the_delivery_process_is_away():
    newest = Newest()
    newest.take(document(LIVE))
    newest.lost("It is away.")
    assert (newest.now().document, newest.now().problem) == (None, "It is away.")
    newest.take(document(LIVE))
    assert newest.now().problem is None
