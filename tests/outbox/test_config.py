import pytest
from pydantic import ValidationError

from appliance.mqtt.config import MqttConfig, TlsConfig
from appliance.outbox.config import OutboxConfig

GOOD = {"host": "broker", "base_topic": "acme/north/assembly/line3/box1"}


def test_every_setting_is_described():
    for model in (OutboxConfig, MqttConfig, TlsConfig):
        assert all(field.description for field in model.model_fields.values())


def test_host_and_place_are_enough():
    config = MqttConfig(**GOOD)
    assert (config.port, config.protocol, config.tls) == (1883, "5", None)


@pytest.mark.parametrize(
    "base_topic",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "a/+/b",
        "a/#",
        "$SYS/a",
        "a b/c",
        "a\nb",
        "a/b\n",
        "ä/b",
        "/".join("abcdefghi"),
        "x" * 65,
    ],
)
def test_a_place_that_cannot_be_a_topic_is_refused(base_topic):
    with pytest.raises(ValidationError):
        MqttConfig(**{**GOOD, "base_topic": base_topic})


@pytest.mark.parametrize(
    "change",
    [
        {"port": 0},
        {"port": 65_536},
        {"protocol": "3.1"},
        {"keepalive_s": 1},
        {"window": 0},
        {"host": ""},
        {"password": "secret"},
        {"password_file": "mqtt-password"},
        {"tls": {"certificate_file": "/a.crt"}},
    ],
)
def test_an_impossible_setting_is_refused(change):
    with pytest.raises(ValidationError):
        MqttConfig(**{**GOOD, **change})


def test_sizes_are_written_with_their_unit():
    assert OutboxConfig(max_bytes="2GiB").max_bytes == 2 * 1024**3
    with pytest.raises(ValidationError):
        OutboxConfig(max_bytes="1MiB")
