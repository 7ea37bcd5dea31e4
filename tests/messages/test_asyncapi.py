"""The AsyncAPI document: whole, and true of the box that it is made for.

The official JSON Schema of AsyncAPI is no package of Python's; what a reader's tools stumble over is checked here.
"""

import json

import pytest
from jsonschema import Draft7Validator, FormatChecker
from messages.boxes import BASE, EVERYTHING, LITTLE
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from appliance.box import box_of
from appliance.cli import main
from appliance.config import load_config
from appliance.messages.asyncapi import document
from appliance.messages.catalogue import CATALOGUE
from appliance.messages.documents import documents
from appliance.messages.schemas import PATHS


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def found(whole, reference):
    assert reference.startswith("#/"), reference
    for step in reference.split("/")[1:]:
        whole = whole[step]
    return whole


@pytest.mark.parametrize("box", [EVERYTHING, LITTLE], ids=["everything", "little"])
def test_the_document_is_whole(box):
    whole = document(box)
    assert whole["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(whole["info"])
    for one in references(whole):
        assert found(whole, one) is not None
    assert not any("$defs" in one for one in references(whole))
    addresses = [one["address"] for one in whole["channels"].values()]
    assert len(set(addresses)) == len(addresses)
    for channel in whole["channels"].values():
        named = set(channel.get("parameters", ()))
        assert named == {part[1:-1] for part in (channel["address"] or "").split("/") if part.startswith("{")}
    used = {one["channel"]["$ref"] for one in whole["operations"].values()}
    assert used == {f"#/channels/{name}" for name in whole["channels"]}
    for operation in whole["operations"].values():
        channel = operation.get("reply", operation)["channel"]["$ref"]
        assert all(
            one["$ref"].startswith(f"{channel}/messages/") for one in operation.get("reply", {}).get("messages", ())
        )


def test_each_example_is_let_through_by_the_schema_beside_it():
    """As a reader's tool does it: with nothing but the document, whose schemas AsyncAPI takes for draft 7."""
    whole = document(EVERYTHING)
    registry = Registry().with_resource("doc", Resource(whole, DRAFT7))
    seen = 0
    for name, channel in whole["channels"].items():
        for key, message in channel["messages"].items():
            reference = {"$ref": f"doc#/channels/{name}/messages/{key}/payload"}
            check = Draft7Validator(reference, registry=registry, format_checker=FormatChecker())
            for example in message.get("examples", ()):
                check.validate(example["payload"])
                seen += 1
    assert seen >= 35


def test_it_is_of_this_very_box():
    whole = document(EVERYTHING)
    server = whole["servers"]["broker"]
    assert (server["host"], server["protocol"], server["protocolVersion"]) == ("broker.plant:8883", "secure-mqtt", "5")
    will = server["bindings"]["mqtt"]["lastWill"]
    assert will == {"topic": f"{BASE}/availability", "qos": 1, "message": "offline", "retain": True}
    assert server["security"] == [{"$ref": "#/components/securitySchemes/password"}]
    result = whole["channels"]["result"]
    assert result["address"] == f"{BASE}/{{camera}}/result"
    assert result["parameters"]["camera"]["enum"] == ["top", "side.2", "housing"]
    assert whole["channels"]["recipe"]["parameters"]["camera"]["enum"] == ["top", "side.2"], "groups have no recipe"
    assert whole["channels"]["deploymentOfModel"]["parameters"]["model"]["enum"] == ["surface", "seal"]
    assert whole["channels"]["consumer"]["parameters"]["consumer"]["enum"] == ["mes"]
    assert "{host}" not in json.dumps(document(LITTLE))
    little = document(LITTLE)["servers"]["broker"]
    assert (little["host"], little["protocol"], little["protocolVersion"]) == ("[::1]:1883", "mqtt", "3.1.1")


def test_how_each_message_is_sent_stands_in_its_binding():
    whole = document(EVERYTHING)
    for topic in CATALOGUE:
        [operation] = [
            one for one in whole["operations"].values() if one["channel"]["$ref"] == f"#/channels/{topic.name}"
        ]
        assert operation["action"] == ("send" if topic.direction.value == "sent" else "receive")
        binding = operation["bindings"]["mqtt"]
        assert (binding["qos"], binding["retain"]) == (topic.qos, topic.retained)
        tags = [one["name"] for one in whole["channels"][topic.name].get("tags", ())]
        assert ("durable" in tags) is topic.durable
    message = whole["channels"]["result"]["messages"]["result"]
    assert message["contentType"] == message["bindings"]["mqtt"]["contentType"] == "application/json"
    assert message["headers"]["properties"]["type"] == {"const": "inspection.result.v1"}
    assert {"specversion", "id", "source", "type"} <= set(message["headers"]["properties"])


def test_a_command_says_where_its_answer_goes():
    whole = document(EVERYTHING)
    reply = whole["operations"]["receiveCommandTrigger"]["reply"]
    assert reply["address"] == {"location": "$message.header#/responseTopic"}
    assert reply["messages"] == [{"$ref": "#/channels/answer/messages/answer"}]
    assert whole["channels"]["answer"]["address"] is None
    replay = whole["operations"]["receiveCommandReplay"]["reply"]["messages"]
    assert {one["$ref"].rpartition("/")[2] for one in replay} == {"answer", "result", "gap", "replay"}


def test_what_3_1_1_does_not_have_is_not_promised():
    whole = document(LITTLE)
    message = whole["channels"]["result"]["messages"]["result"]
    assert "headers" not in message
    assert message["bindings"]["mqtt"] == {"bindingVersion": "0.2.0"}
    assert not any(name.startswith("receive") for name in whole["operations"]), "nothing is read without being wanted"


def test_the_box_serves_the_document_and_each_schema():
    served = documents(EVERYTHING)
    assert json.loads(served["asyncapi.json"]) == document(EVERYTHING)
    assert {name for name in served if name != "asyncapi.json"} == {f"schema/{name}" for name in PATHS}
    assert served["schema/result.json"] == PATHS["result.json"].read_bytes()


def test_the_command_prints_what_the_box_would_serve(tmp_path, capsys):
    config = tmp_path / "appliance.toml"
    assert main(["example-config"]) == 0
    config.write_text(capsys.readouterr().out)
    assert main(["asyncapi", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out) == document(box_of(load_config(config)))
