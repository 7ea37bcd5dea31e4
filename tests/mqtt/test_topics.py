import pytest

from appliance.mqtt.topics import is_topic


@pytest.mark.parametrize("topic", ["a", "homeassistant/status", "homeassistant/device/b/config", "/".join("a" * 16)])
def test_a_whole_topic(topic):
    assert is_topic(topic)


@pytest.mark.parametrize("topic", ["", "/a", "a/", "a//b", "a/+", "#", "$SYS/a", "a b", "/".join("a" * 17)])
def test_what_is_none(topic):
    assert not is_topic(topic)
