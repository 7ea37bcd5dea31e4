"""`/metrics`: the overview as Prometheus reads it.

Computed from one snapshot at every scrape; nothing is kept here. Seconds and bytes, whatever the snapshot's units.
What the line said is left out while it does not report: an absent series is honest, a frozen one is not.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from appliance.api import delivery_metrics, outbox_metrics
from appliance.api.board import Board, Overview
from appliance.health import DeviceHealth
from appliance.status import (
    LATENCY_BUCKETS_MS,
    CameraStatus,
    Histogram,
    LineStatus,
    ModelStatus,
    RecipeStatus,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""One format, whatever is asked for: every scraper reads it."""

_CAMERA_STATES: Final = ("online", "offline", "frozen", "disabled")
_MODEL_STATES: Final = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")


class BoardMetrics(Collector):
    """Collects from the board; thread-safe as the board is."""

    def __init__(self, board: Board, *, version: str, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._board = board
        self._version = version
        self._now_ns = now_ns

    def describe(self) -> Iterable[Metric]:
        """Nothing up front: which series there are depends on the snapshot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families, from one overview."""
        overview = self._board.overview(self._now_ns())
        yield from _box(overview, self._version)
        if overview.mqtt is not None:
            yield from outbox_metrics.of_broker(overview.mqtt)
        if overview.consumers:
            yield from outbox_metrics.of_consumers(overview.consumers)
        if overview.deliveries is not None:
            yield from delivery_metrics.families(overview.deliveries, datetime.now(timezone.utc))
        if overview.line is not None and overview.live:
            yield from _line(overview.line)
            yield from _cameras(overview.line.cameras)
            yield from _pictures(overview.line.cameras)
            yield from _groups(overview.line.groups)
            yield _recipes(overview.line.recipes)
            yield _models(overview.line.models)
            if overview.line.outbox is not None:
                yield from outbox_metrics.of_disk(overview.line.outbox)


def exposition(board: Board, *, version: str, now_ns: Callable[[], int] = time.monotonic_ns) -> Callable[[], bytes]:
    """What a scrape calls: the box's metrics and those of the gateway's own process, as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoardMetrics(board, version=version, now_ns=now_ns))
    ProcessCollector(namespace="appliance_gateway", registry=registry)
    return lambda: generate_latest(registry)


def _box(overview: Overview, version: str) -> Iterator[Metric]:
    station = "" if overview.line is None else overview.line.station
    yield InfoMetricFamily("appliance", "The box and its software.", {"version": version, "station": station})
    device_health = GaugeMetricFamily(
        "appliance_device_health", "Device health after NAMUR NE 107: 1 for the state that it is in.", labels=("state",)
    )
    _add_states(device_health, (), [health.value for health in DeviceHealth], overview.device_health.value)
    yield device_health
    reasons = GaugeMetricFamily(
        "appliance_device_health_reasons",
        "Findings behind the device health, by code and component.",
        labels=("code", "component", "device_health"),
    )
    for (code, component, health), count in _counted(
        (reason.code, reason.component, reason.health.value) for reason in overview.reasons
    ).items():
        reasons.add_metric((code, component, health), count)
    yield reasons
    yield GaugeMetricFamily("appliance_line_live", "1 while the line reports.", overview.live)
    yield GaugeMetricFamily("appliance_line_ready", "1 while a part that came now would be judged.", overview.ready)
    if overview.line_age_s is not None:
        yield GaugeMetricFamily(
            "appliance_line_report_age_seconds", "Time since the line last reported.", overview.line_age_s
        )


def _add_states(metric: GaugeMetricFamily, labels: tuple[str, ...], states: Iterable[str], now: str) -> None:
    for state in states:
        metric.add_metric((*labels, state), state == now)


def _counted(keys: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    counts: dict[tuple[str, str, str], int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _line(line: LineStatus) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "appliance_line_resident_memory_bytes",
        "Resident memory of the line's process (camera, model, verdicts).",
        line.resident_bytes,
    )


def _cameras(cameras: dict[str, CameraStatus]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "appliance_camera_state", "State of each camera: 1 for the one that it is in.", labels=("camera", "state")
    )
    verdicts = CounterMetricFamily(
        "appliance_parts", "Parts since the line started, by verdict.", labels=("camera", "verdict")
    )
    evaluations = CounterMetricFamily(
        "appliance_parts_by_evaluation",
        "Parts since the line started, by evaluation (OPC 40100-1).",
        labels=("camera", "evaluation"),
    )
    reasons = CounterMetricFamily(
        "appliance_parts_failed_by_reason",
        "Parts that did not pass since the line started, by reason code.",
        labels=("camera", "reason"),
    )
    missed = CounterMetricFamily(
        "appliance_deadline_missed",
        "Parts since the line started whose verdict was not ready by the deadline.",
        labels=("camera",),
    )
    latency = HistogramMetricFamily(
        "appliance_part_latency_seconds",
        "Time per part and stage; total ends with the verdict, recorded is from the verdict to the disk; frame_age is "
        "from the end of the exposure to the verdict.",
        labels=("camera", "stage"),
    )
    for name, camera in cameras.items():
        _add_states(state, (name,), _CAMERA_STATES, camera.state)
        verdicts.add_metric((name, "pass"), camera.passed)
        verdicts.add_metric((name, "fail"), camera.parts - camera.passed)
        for evaluation, count in camera.evaluations.items():
            evaluations.add_metric((name, evaluation), count)
        for reason, count in camera.reasons.items():
            reasons.add_metric((name, reason), count)
        missed.add_metric((name,), camera.deadline_missed)
        for stage, histogram in camera.latency.items():
            latency.add_metric((name, stage), _buckets(histogram), histogram.sum_ms / 1000)
    yield from (state, verdicts, evaluations, reasons, missed, latency)


def _pictures(cameras: dict[str, CameraStatus]) -> Iterator[Metric]:
    lost = CounterMetricFamily(
        "appliance_camera_frames_missing",
        "Parts since the line started whose picture never came.",
        labels=("camera",),
    )
    skipped = CounterMetricFamily(
        "appliance_camera_frames_skipped",
        "Pictures of a free-running camera that were passed over for a newer one, since the line started.",
        labels=("camera",),
    )
    events = CounterMetricFamily(
        "appliance_camera_driver_events",
        "What the driver counts, by its own names, since it opened the camera.",
        labels=("camera", "event"),
    )
    for name, camera in cameras.items():
        lost.add_metric((name,), camera.lost)
        skipped.add_metric((name,), camera.skipped)
        for event, count in camera.counters.items():
            events.add_metric((name, event), count)
    yield from (lost, skipped, events)


def _groups(groups: dict[str, CameraStatus]) -> Iterator[Metric]:
    """In families of their own: a sum over cameras would count their parts twice."""
    verdicts = CounterMetricFamily(
        "appliance_group_parts", "Combined results since the line started, by verdict.", labels=("group", "verdict")
    )
    missed = CounterMetricFamily(
        "appliance_group_deadline_missed",
        "Combined results since the line started that were not ready by the deadline.",
        labels=("group",),
    )
    latency = HistogramMetricFamily(
        "appliance_group_latency_seconds", "From the trigger to the combined verdict.", labels=("group",)
    )
    for name, group in groups.items():
        verdicts.add_metric((name, "pass"), group.passed)
        verdicts.add_metric((name, "fail"), group.parts - group.passed)
        missed.add_metric((name,), group.deadline_missed)
        total = group.latency["total"]
        latency.add_metric((name,), _buckets(total), total.sum_ms / 1000)
    yield from (verdicts, missed, latency)


def _recipes(recipes: list[RecipeStatus]) -> Metric:
    """Without the job: each new one would be a new series."""
    in_force = GaugeMetricFamily(
        "appliance_recipe_in_force",
        "1 for the recipe in force on a camera, 0 for those that it may be changed to.",
        labels=("camera", "recipe"),
    )
    for one in recipes:
        for name in dict.fromkeys((one.recipe, *one.recipes)):
            in_force.add_metric((one.camera, name), name == one.recipe)
    return in_force


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*(repr(bound_ms / 1000) for bound_ms in LATENCY_BUCKETS_MS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))


def _models(models: list[ModelStatus]) -> Metric:
    state = GaugeMetricFamily(
        "appliance_model_state",
        "State of each model version (TensorFlow Serving's words): 1 for the one that it is in. "
        "engine: what runs it, once it is loaded.",
        labels=("model", "version", "engine", "state"),
    )
    for one in models:
        _add_states(state, (one.name, str(one.version), one.engine or ""), _MODEL_STATES, one.state)
    return state
