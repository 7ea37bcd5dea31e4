"""The delivery process' own handler behind the socket: what it says is what the schema and the command promise."""

import json

import pytest
from delivery.publisher import Publisher
from delivery.rig import Rig
from jsonschema import Draft202012Validator, FormatChecker
from running import until
from steering.steered import Steered

from appliance.cli import main
from appliance.delivery.commands import Commands
from appliance.steering.document import SCHEMA_PATH, flat

SCHEMA = json.loads(SCHEMA_PATH.read_text())


def holds(value, definition=None):
    schema = SCHEMA if definition is None else {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def box(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch, approve=True) as rig:
        commands = Commands("line3-box1", {"surface": rig.delivery})
        steered = Steered(tmp_path, handle=commands.handle)
        steered.rig, steered.commands = rig, commands
        steered.control.tell(commands.document())
        steered.handler.document = commands.document
        yield steered.start_delivery()
        steered.close()


def test_the_way_of_a_release_by_hand_and_each_document_of_it(box, publisher, capsys):
    seen = []

    def state():
        document = box.commands.document()
        holds(document)
        holds(flat(document, "surface"), "message")
        box.control.tell(document)
        one = document["models"]["surface"]["deployment"]
        if one is not None:
            holds(one, "deployment")
            seen.append(one["state"])
        return one

    def call(*arguments):
        code = main(["deployments", "--box", f"127.0.0.1:{box.http.port}", *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    publisher.publish(publisher.package(1))
    assert call("look")[0] == 0
    until(lambda: (state() or {}).get("waiting_for") == "approval", "the wait for a person", 30)
    until(lambda: state() and "waits for a person's approval" in call()[1], "the word of it at the gateway", 10)
    assert call("approve", "surface")[0] == 0
    until(lambda: state()["state"] == "success", "the end", 30)
    assert call("pause", "surface")[1] == "surface is paused.\n"
    assert call("pin", "surface")[1] == "surface is pinned to release 1.\n"
    state()
    until(lambda: "paused, pinned to release 1" in call()[1].replace("; ", ", "), "the flags", 10)
    assert call("cancel", "surface")[0] == 1
    assert call("unpin", "surface")[0] == 0
    assert call("resume", "surface")[0] == 0
    code, log = call("audit")
    assert code == 0
    for verb in ("look", "approve", "pause", "pin", "cancel", "unpin", "resume"):
        assert verb in log
    code, said = call("start", "surface", "--release", "1")
    assert code in {0, 1}, said
    assert call("rollback", "surface")[0] == 0
    state()
    assert {"success"} <= set(seen)
