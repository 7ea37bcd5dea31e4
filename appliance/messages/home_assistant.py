"""Home Assistant's device discovery: what it may show of this box, and how it reads it from the messages. Pure.

The keys are Home Assistant's; of its abbreviations only those that its own examples use. Templates get a message as
`value_json`, and give the text that Home Assistant shows.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from appliance.health import DeviceHealth
from appliance.messages.box import Box
from appliance.mqtt.topics import AVAILABILITY, OFFLINE, ONLINE

_MAKER: Final = "inspection-appliance"
_MISSED_SUMMARIES: Final = 3
"""After so many that did not come, the figures of the last one are not shown any more."""

Components = Mapping[str, str]
"""By component: the platform."""


def topic(box: Box, installation: str) -> str:
    """Where the discovery message stands. Raises RuntimeError where this box has none."""
    if box.home_assistant is None:
        raise RuntimeError("the box is not to be shown in Home Assistant")
    return f"{box.home_assistant}/device/{_identity(installation)}/config"


def status_topic(prefix: str) -> str:
    """Where Home Assistant says that it has started."""
    return f"{prefix}/status"


def discovery(box: Box, installation: str, told_before: Components) -> dict[str, Any]:
    """The discovery message.

    Args:
        box: its cameras and groups are what is shown.
        installation: a number of this installation that stays, whatever the station is called.
        told_before: what an earlier message had; what of it is not there any more is taken away.
    """
    identity = _identity(installation)
    components = {key: {**one, "unique_id": f"{identity}_{key}"} for key, one in (*_of_box(box), *_of_cameras(box))}
    gone = {key: {"p": platform} for key, platform in told_before.items() if key not in components}
    return {
        "dev": {
            "ids": [identity],
            "name": box.station,
            "manufacturer": _MAKER,
            "model": "Visual inspection",
            "sw_version": box.version,
        },
        "o": {"name": _MAKER, "sw_version": box.version},
        "availability": [
            {
                "topic": f"{box.mqtt.base_topic}/{AVAILABILITY}",
                "payload_available": ONLINE.decode(),
                "payload_not_available": OFFLINE.decode(),
            }
        ],
        "qos": 1,
        "cmps": {**components, **gone},
    }


def components_of(message: Mapping[str, Any]) -> Components:
    """What a discovery message has: to be handed to the next one."""
    return {key: one["p"] for key, one in message["cmps"].items()}


def _identity(installation: str) -> str:
    return f"inspection-{installation}"


def _of_box(box: Box) -> Iterator[tuple[str, dict[str, Any]]]:
    base = box.mqtt.base_topic
    yield (
        "problem",
        {
            "p": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "state_topic": f"{base}/health",
            "value_template": "{{ 'OFF' if value_json.device_health == 'NORMAL' else 'ON' }}",
            "json_attributes_topic": f"{base}/health",
        },
    )
    yield (
        "health",
        {
            "p": "sensor",
            "name": "Health",
            "device_class": "enum",
            "options": [one.value for one in DeviceHealth],
            "state_topic": f"{base}/health",
            "value_template": "{{ value_json.device_health }}",
            "entity_category": "diagnostic",
        },
    )
    yield (
        "waiting",
        {
            "p": "sensor",
            "name": "Results that wait for the broker",
            "state_class": "measurement",
            "state_topic": f"{base}/summary",
            "value_template": "{{ value_json.outbox.waiting if value_json.outbox else none }}",
            "expire_after": _expire_s(box),
            "entity_category": "diagnostic",
        },
    )


def _of_cameras(box: Box) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, names in (("cameras", box.cameras), ("groups", box.groups)):
        for name in names:
            for what, one in _of_camera(box, kind, name):
                yield f"{name}_{what}", {**one, "name": f"{name}: {one['name']}"}


def _of_camera(box: Box, kind: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    base = box.mqtt.base_topic
    figures = f"value_json['{kind}']['{name}']"
    yield (
        "verdict",
        {
            "p": "sensor",
            "name": "Last verdict",
            "device_class": "enum",
            "options": ["pass", "fail"],
            "state_topic": f"{base}/{name}/last",
            "value_template": "{{ value_json.verdict }}",
            "json_attributes_topic": f"{base}/{name}/last",
            "json_attributes_template": "{{ {'evaluation': value_json.evaluation, 'reason': value_json.reason,"
            " 'part_id': value_json.part_id, 'recipe_id': value_json.recipe_id, 'sequence': value_json.sequence}"
            " | tojson }}",
        },
    )
    yield (
        "parts",
        {
            "p": "sensor",
            "name": "Parts",
            "state_class": "total_increasing",
            "state_topic": f"{base}/summary",
            "value_template": f"{{{{ {figures}.total.parts }}}}",
            "expire_after": _expire_s(box),
        },
    )
    yield (
        "pass_rate",
        {
            "p": "sensor",
            "name": "Pass rate",
            "state_class": "measurement",
            "unit_of_measurement": "%",
            "suggested_display_precision": 1,
            "state_topic": f"{base}/summary",
            "value_template": f"{{% set rate = {figures}.interval.rates.first_pass_yield.value %}}"
            "{{ none if rate is none else (100 * rate) | round(2) }}",
            "expire_after": _expire_s(box),
        },
    )
    yield (
        "connection",
        {
            "p": "binary_sensor",
            "name": "Connection" if kind == "cameras" else "Connection of all cameras",
            "device_class": "connectivity",
            "state_topic": f"{base}/{name}/status",
            "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
            "json_attributes_topic": f"{base}/{name}/status",
            "entity_category": "diagnostic",
        },
    )


def _expire_s(box: Box) -> int:
    return max(1, round(_MISSED_SUMMARIES * box.mqtt.summary_s))
