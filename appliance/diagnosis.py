"""What is wrong with the line, from snapshots of its parts. The same snapshots give the same reasons."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from appliance.health import DeviceHealth, Reason
from appliance.status import NEARLY_FULL, CameraStatus, DeliveredStatus, ModelStatus, OutboxStatus

_LATE_SHOWN_S: Final = 60.0


class Lateness:
    """Remembers which cameras' parts were late a short while ago. One thread."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def now(self, missed: Mapping[str, int]) -> frozenset[str]:
        """Cameras whose count of missed deadlines rose within the last minute; `missed`: the counts, by camera."""
        now_s = time.monotonic()
        for name, count in missed.items():
            before, _ = self._seen.get(name, (0, 0.0))
            if count > before:
                self._seen[name] = (count, now_s)
        return frozenset(name for name, (_, at_s) in self._seen.items() if now_s - at_s < _LATE_SHOWN_S)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the parts of the line say of themselves."""

    phase: str
    cameras: Mapping[str, CameraStatus]
    finished: frozenset[str]
    """Cameras that have shown their last picture, which is no fault."""
    late_now: frozenset[str]
    """Cameras with a missed deadline within the last minute."""
    self_tests: Mapping[str, str | None]
    """Per camera: why its model cannot run; None where it can."""
    models: Iterable[ModelStatus]
    used: frozenset[str]
    """Models that a recipe uses."""
    sources: Mapping[str, str]
    """Per model: what is wrong with its folder."""
    outbox: OutboxStatus | None
    gateway: str | None
    """Why the gateway does not run; None where it does."""
    surface: str | None
    """Why requests for predictions are not answered; None where they are, or where nobody wants it."""
    config: str | None
    """Why the newest configuration was refused; None where it is in use."""
    deliveries: Mapping[str, DeliveredStatus] = field(default_factory=dict)
    """Models whose versions come from a registry."""
    triggers: Mapping[str, str] = field(default_factory=dict)
    """By camera or group: why what triggers it cannot see its parts."""
    delivery: str | None = None
    """Why the delivery process does not run; None where it does, or where nobody wants it."""
    commands: str | None = None
    """Why the line answers no commands; None where it does."""


def diagnose(findings: Findings) -> list[Reason]:
    """All reasons, in the order a part meets them."""
    return [
        *_phase(findings),
        *_triggers(findings),
        *_cameras(findings),
        *_models(findings),
        *_outbox(findings),
        *_rest(findings),
    ]


def _phase(findings: Findings) -> Iterable[Reason]:
    if findings.phase == "starting":
        yield Reason(DeviceHealth.CHECK_FUNCTION, "STARTING", "line", "The line is starting; wait for its model.")
    if findings.phase == "stopping":
        yield Reason(DeviceHealth.CHECK_FUNCTION, "STOPPING", "line", "The line is being stopped.")


def _triggers(findings: Findings) -> Iterable[Reason]:
    for name, problem in findings.triggers.items():
        yield Reason(DeviceHealth.FAILURE, "TRIGGER_LOST", f"trigger/{name}", problem)


def _cameras(findings: Findings) -> Iterable[Reason]:
    for name, camera in findings.cameras.items():
        component = f"camera/{name}"
        if name in findings.finished:
            yield Reason(DeviceHealth.CHECK_FUNCTION, "NO_MORE_PICTURES", component, camera.detail)
        elif camera.state == "frozen":
            yield Reason(DeviceHealth.FAILURE, "CAMERA_FROZEN", component, camera.detail)
        elif camera.state != "online" and findings.phase == "running":
            yield Reason(DeviceHealth.FAILURE, "CAMERA_LOST", component, camera.detail)
        if name in findings.late_now:
            yield Reason(
                DeviceHealth.OFF_SPEC,
                "DEADLINES_MISSED",
                component,
                "Within the last minute parts had no verdict by their deadline, and failed; "
                "raise deadline_ms, or take a smaller model.",
            )


def _models(findings: Findings) -> Iterable[Reason]:
    models = list(findings.models)
    available = {model.name for model in models if model.state == "AVAILABLE"}
    for name in sorted(findings.used):
        component = f"model/{name}"
        serves = name in available
        ended = [model for model in models if model.name == name and model.error is not None]
        delivered = findings.deliveries.get(name)
        if delivered is None:
            code, why = "MODEL_NOT_UPDATED", findings.sources.get(name) or (ended[0].error if ended else None)
            why_serving = f"The version before goes on serving: {why}"
        else:  # a candidate that fails is the delivery process' to tell
            code, why = delivered.code or "", delivered.problem
            why_serving = why or ""
        loading = any(model.name == name and model.state in {"START", "LOADING"} for model in models)
        if not serves and not (loading and findings.phase == "starting"):
            sentence = why or "No version of it is loaded; look at its folder."
            yield Reason(DeviceHealth.FAILURE, "NO_MODEL", component, sentence)
        elif serves and why:
            yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, code, component, why_serving)
    for camera, problem in findings.self_tests.items():
        if problem is not None:
            yield Reason(DeviceHealth.FAILURE, "MODEL_FAILED", f"camera/{camera}", problem)


def _outbox(findings: Findings) -> Iterable[Reason]:
    outbox = findings.outbox
    if outbox is None:
        return
    if not outbox.accepting:
        yield Reason(DeviceHealth.FAILURE, "NOT_RECORDED", "outbox", outbox.problem or "Results cannot be kept.")
    elif outbox.problem is not None:
        yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, "OUTBOX", "outbox", outbox.problem)
    elif outbox.pending_bytes > NEARLY_FULL * outbox.max_bytes > 0:
        yield Reason(
            DeviceHealth.MAINTENANCE_REQUIRED,
            "OUTBOX_FILLING",
            "outbox",
            f"{outbox.pending} results wait for the broker and fill over 80 % of the outbox; look at the broker.",
        )


def _rest(findings: Findings) -> Iterable[Reason]:
    if findings.gateway is not None:
        yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, "GATEWAY_DOWN", "gateway", findings.gateway)
    if findings.surface is not None:
        yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, "SERVING_DOWN", "serving", findings.surface)
    if findings.delivery is not None:
        yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, "DELIVERY_DOWN", "delivery", findings.delivery)
    if findings.commands is not None:
        yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, "COMMANDS_DOWN", "line", findings.commands)
    if findings.config is not None:
        yield Reason(DeviceHealth.MAINTENANCE_REQUIRED, "CONFIG_REFUSED", "config", findings.config)
