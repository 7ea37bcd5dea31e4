"""What the node and its devices tell: fixed lists of names, each with its newest value. Pure: no thread, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from appliance.health import DeviceHealth
from appliance.sparkplug.codec import DataType, Metric, Value
from appliance.status import CameraStatus, LineStatus, ModelStatus

BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"

_PART: Final = {
    "Inspection/Sequence": DataType.UINT64,
    "Inspection/Stream": DataType.STRING,
    "Inspection/ResultId": DataType.STRING,
    "Inspection/PartId": DataType.STRING,
    "Inspection/TriggerId": DataType.UINT64,
    "Inspection/Passed": DataType.BOOLEAN,
    "Inspection/Verdict": DataType.STRING,
    "Inspection/Evaluation": DataType.STRING,
    "Inspection/Reason": DataType.STRING,
    "Inspection/Detail": DataType.STRING,
    "Inspection/Label": DataType.STRING,
    "Inspection/Score": DataType.DOUBLE,
    "Inspection/TotalMs": DataType.DOUBLE,
    "Inspection/DeadlineMet": DataType.BOOLEAN,
    "Inspection/RecipeId": DataType.STRING,
    "Inspection/JobId": DataType.STRING,
    "Inspection/ModelName": DataType.STRING,
    "Inspection/ModelVersion": DataType.INT64,
}
"""Of each part, all in one message. `Sequence` is another one with each part, whatever else stays as it is."""

DEVICE: Final[Mapping[str, DataType]] = {
    "Camera/State": DataType.STRING,
    "Camera/Detail": DataType.STRING,
    "Camera/Model": DataType.STRING,
    "Camera/Serial": DataType.STRING,
    **_PART,
}

_NODE: Final = {
    "Software/Version": DataType.STRING,
    "Health/State": DataType.STRING,
    "Health/Reasons": DataType.STRING,
    "Line/Phase": DataType.STRING,
    "Line/TakesParts": DataType.BOOLEAN,
    "Outbox/Accepting": DataType.BOOLEAN,
    "Outbox/Waiting": DataType.UINT64,
    "Outbox/Lost": DataType.UINT64,
    "Broker/Connected": DataType.BOOLEAN,
}


class Metrics:
    """The values of one node or device."""

    def __init__(self, definitions: Mapping[str, DataType]) -> None:
        self._types = dict(definitions)
        self._newest: dict[str, tuple[Value, int]] = {}

    def put(self, values: Mapping[str, Value], at_ms: int) -> list[str]:
        """Take new values; returns the names of those that changed. Names that no birth has told are left out."""
        changed = [
            name
            for name, value in values.items()
            if name in self._types and (name not in self._newest or self._newest[name][0] != value)
        ]
        for name in changed:
            self._newest[name] = (values[name], at_ms)
        return changed

    def born(self, now_ms: int) -> list[Metric]:
        """All of them as they stand, oldest first: what a birth tells."""
        found = [
            Metric(name, datatype, *self._newest.get(name, (None, now_ms))) for name, datatype in self._types.items()
        ]
        return sorted(found, key=lambda one: one.timestamp_ms)

    def told(self, names: Iterable[str]) -> list[Metric]:
        """These as they stand."""
        return [Metric(name, self._types[name], *self._newest[name]) for name in names]

    def of(self, values: Mapping[str, Value], at_ms: int, *, is_historical: bool) -> list[Metric]:
        """These values at that moment, whatever stands now."""
        return [
            Metric(name, self._types[name], value, at_ms, is_historical)
            for name, value in values.items()
            if name in self._types
        ]


def node_types(models: Sequence[str]) -> dict[str, DataType]:
    """What a node with these models tells, besides bdSeq and its one command."""
    of_models = {
        f"Models/{name}/{what}": datatype
        for name in models
        for what, datatype in (
            ("Version", DataType.INT64),
            ("State", DataType.STRING),
            ("Digest", DataType.STRING),
        )
    }
    return _NODE | of_models


def node_values(
    status: LineStatus, health: DeviceHealth, reasons: Sequence[str], *, broker: bool, software: str
) -> dict[str, Value]:
    """The box as it is now."""
    outbox = status.outbox
    values: dict[str, Value] = {
        "Software/Version": software,
        "Health/State": health.value,
        "Health/Reasons": " ".join(dict.fromkeys(reasons)),
        "Line/Phase": status.phase,
        "Line/TakesParts": status.takes_parts,
        "Outbox/Accepting": None if outbox is None else outbox.accepting,
        "Outbox/Waiting": None if outbox is None else outbox.pending,
        "Outbox/Lost": None if outbox is None else outbox.lost_total,
        "Broker/Connected": broker,
    }
    for name in dict.fromkeys(model.name for model in status.models):
        serving = _serving([model for model in status.models if model.name == name])
        values[f"Models/{name}/Version"] = serving.version
        values[f"Models/{name}/State"] = serving.state
        values[f"Models/{name}/Digest"] = serving.digest
    return values


def camera_values(camera: CameraStatus) -> dict[str, Value]:
    """The camera, or the group, as it is now."""
    return {
        "Camera/State": camera.state,
        "Camera/Detail": camera.detail or None,
        "Camera/Model": camera.model or None,
        "Camera/Serial": camera.serial or None,
    }


def part_values(result: Mapping[str, Any]) -> dict[str, Value]:
    """One part, from its recorded message."""
    classes = result.get("classes") or [{}]
    model = result.get("model") or {}
    times = result.get("processing_times") or {}
    verdict = result.get("verdict")
    return {
        "Inspection/Sequence": result.get("sequence"),
        "Inspection/Stream": result.get("stream"),
        "Inspection/ResultId": result.get("result_id"),
        "Inspection/PartId": result.get("part_id"),
        "Inspection/TriggerId": result.get("trigger_id"),
        "Inspection/Passed": verdict == "pass",
        "Inspection/Verdict": verdict,
        "Inspection/Evaluation": result.get("evaluation"),
        "Inspection/Reason": result.get("reason"),
        "Inspection/Detail": result.get("detail"),
        "Inspection/Label": classes[0].get("label"),
        "Inspection/Score": classes[0].get("score"),
        "Inspection/TotalMs": times.get("total_ms"),
        "Inspection/DeadlineMet": result.get("deadline_met"),
        "Inspection/RecipeId": result.get("recipe_id"),
        "Inspection/JobId": result.get("job_id"),
        "Inspection/ModelName": model.get("name"),
        "Inspection/ModelVersion": model.get("version"),
    }


def part_ms(result: Mapping[str, Any]) -> int | None:
    """When the part was exposed: UTC, milliseconds since 1970. None where its message does not say."""
    try:
        moment = datetime.fromisoformat(str(result.get("exposure_time_utc")).replace("Z", "+00:00"))
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)


def _serving(versions: Sequence[ModelStatus]) -> ModelStatus:
    """The one that judges parts; the newest where none does."""
    return max(versions, key=lambda one: (one.is_pointer, one.state == "AVAILABLE", one.version))
