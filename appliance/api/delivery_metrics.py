"""`/metrics`: how models come onto this box."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from appliance.api.board import Deliveries
from appliance.registry.deployments.states import ENDS, State

_ROLES: Final = ("active", "previous", "candidate")
_FLAGS: Final = ("paused", "pinned", "revoked", "stale")


def families(deliveries: Deliveries, now: datetime) -> Iterator[Metric]:
    """All families, from one document; `now` in UTC, for ages."""
    models = deliveries.document["models"]
    yield _states(models)
    yield _releases(models)
    yield _flags(models)
    yield _ends(deliveries)
    fetched = CounterMetricFamily(
        "appliance_deployment_fetched_bytes", "Bytes that came from registries for deployments.", labels=("model",)
    )
    for model, count in deliveries.counts.fetched_bytes.items():
        fetched.add_metric((model,), count)
    yield fetched
    age = GaugeMetricFamily(
        "appliance_deployment_last_look_age_seconds", "Time since the registry was last asked.", labels=("model",)
    )
    for model, part in models.items():
        looked = _moment(part["last_looked"])
        if looked is not None:
            age.add_metric((model,), max(0.0, (now - looked).total_seconds()))
    yield age


def _states(models: Any) -> Metric:
    state = GaugeMetricFamily(
        "appliance_deployment_state",
        "The live or newest deployment of a model: 1 for the state that it is in.",
        labels=("model", "state"),
    )
    for model, part in models.items():
        if part["deployment"] is not None:
            for one in State:
                state.add_metric((model, one.value), part["deployment"]["state"] == one.value)
    return state


def _releases(models: Any) -> Metric:
    release = GaugeMetricFamily(
        "appliance_deployment_release", "Releases by what they are to a model.", labels=("model", "role")
    )
    for model, part in models.items():
        for role in _ROLES:
            served = part[role]
            if served is not None and served["release"] is not None:
                release.add_metric((model, role), served["release"])
    return release


def _flags(models: Any) -> Metric:
    flag = GaugeMetricFamily(
        "appliance_deployment_flag", "1 while a flag of a model's deliveries is up.", labels=("model", "flag")
    )
    for model, part in models.items():
        for name in _FLAGS:
            value = part["flags"].get(name)
            flag.add_metric((model, name), value is not None and value is not False)
    return flag


def _ends(deliveries: Deliveries) -> Metric:
    """All results from the start on: a counter that appears with its first 1 has no rise that an alert could see."""
    ends = CounterMetricFamily(
        "appliance_deployments", "Deployments that ended since the gateway started.", labels=("model", "result")
    )
    for model in deliveries.document["models"]:
        for result in sorted(ENDS):
            ends.add_metric((model, result.value), deliveries.counts.ends.get((model, result.value), 0))
    return ends


def _moment(text: str | None) -> datetime | None:
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))
