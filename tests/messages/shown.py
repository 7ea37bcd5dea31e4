"""What Home Assistant would show: its documented keys, and its templates evaluated on real messages."""

import json

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

COMMON = {
    *("p", "name", "unique_id", "state_topic", "value_template", "device_class", "entity_category", "expire_after"),
    *("json_attributes_topic", "json_attributes_template"),
}
KEYS = {
    "sensor": COMMON | {"options", "state_class", "suggested_display_precision", "unit_of_measurement"},
    "binary_sensor": COMMON | {"payload_on", "payload_off", "off_delay"},
}
"""By platform: of https://www.home-assistant.io/integrations/sensor.mqtt/ and binary_sensor.mqtt what we may use."""
CLASSES = {"sensor": {"enum"}, "binary_sensor": {"connectivity", "problem"}}

_TEMPLATES = ImmutableSandboxedEnvironment(undefined=StrictUndefined)


def state(component: dict, payload: bytes) -> str | None:
    """What it shows after this message: a text, or None for `unknown`."""
    text = _TEMPLATES.from_string(component["value_template"]).render(value_json=json.loads(payload)).strip()
    if component["p"] == "binary_sensor":
        assert text in {"ON", "OFF"}, text
    elif "options" in component:
        assert text in component["options"], text
    elif text != "None":
        float(text)  # what has a state_class or a unit is a number
    return None if text == "None" else text


def attributes(component: dict, payload: bytes) -> dict:
    template = component.get("json_attributes_template")
    if template is None:
        return json.loads(payload)
    return json.loads(_TEMPLATES.from_string(template).render(value_json=json.loads(payload)))


def check(message: dict) -> None:
    """Nothing that Home Assistant does not know, nothing that it needs missing."""
    assert {"dev", "o", "cmps"} <= set(message) <= {"dev", "o", "cmps", "availability", "qos"}
    assert message["dev"]["ids"]
    assert message["o"]["name"]
    identities = []
    for key, one in message["cmps"].items():
        if set(one) == {"p"}:
            continue  # taken away
        assert set(one) <= KEYS[one["p"]], key
        assert ("json_attributes_template" in one) <= ("json_attributes_topic" in one)
        assert one.get("device_class", next(iter(CLASSES[one["p"]]))) in CLASSES[one["p"]]
        assert (one.get("device_class") == "enum") == ("options" in one)
        assert not ("options" in one and "state_class" in one), "Home Assistant refuses the two together"
        identities.append(one["unique_id"])
    assert len(set(identities)) == len(identities)
