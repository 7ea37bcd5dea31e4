"""What an operator may write, and what is refused with a reason."""

import pytest
from pydantic import ValidationError

from appliance.mqtt.config import MqttConfig
from appliance.sparkplug.config import SparkplugConfig
from appliance.sparkplug.view import SparkplugView


@pytest.mark.parametrize("name", ["a/b", "a+", "#", "", "x" * 65, "a\nb", "a\x00"])
@pytest.mark.parametrize("field", ["group_id", "edge_node_id", "primary_host"])
def test_ids_that_sparkplug_forbids_are_refused(field, name):
    with pytest.raises(ValidationError):
        SparkplugConfig(**{"group_id": "g", field: name})


def test_ids_may_be_in_any_script():
    assert SparkplugConfig(group_id="Werk Süd 3").group_id == "Werk Süd 3"


def test_the_place_of_host_states_is_no_group():
    with pytest.raises(ValidationError, match="host applications"):
        SparkplugConfig(group_id="STATE")


@pytest.mark.parametrize("server", ["broker", "broker:0", "broker:70000", "a b:1883", ":1883", "[::1]"])
def test_servers_are_a_host_and_a_port(server):
    with pytest.raises(ValidationError):
        SparkplugConfig(group_id="g", servers=(server,))


def test_servers_are_named_once():
    with pytest.raises(ValidationError, match="twice"):
        SparkplugConfig(group_id="g", servers=("b:1", "b:1"))


def test_addresses():
    config = SparkplugConfig(group_id="g", servers=("broker.plant:1883", "[::1]:8883"))
    assert config.addresses == (("broker.plant", 1883), ("::1", 8883))


def test_devices_are_the_names_of_cameras_and_groups(tmp_path, caplog):
    """They are names of tables in one file, and a group has no camera's name: none is there twice."""
    mqtt = MqttConfig(host="127.0.0.1", port=1, base_topic="a")
    view = SparkplugView(SparkplugConfig(group_id="g"), mqtt, "box", tmp_path, ["top", "Top", "both"])
    assert list(view._node._devices) == ["top", "Top", "both"]
    view.start()
    view.stop(0.0)
    assert "top" in caplog.text
    assert "upper and lower case" in caplog.text
