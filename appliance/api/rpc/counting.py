"""Every call counted by its status, and measured where it was answered."""

import time
from collections.abc import Callable
from typing import Any

from appliance.api.rpc.calls import Answer
from appliance.dataplane import Code, Metrics
from appliance.dataplane.errors import code_of
from appliance.dataplane.metrics import LATENCY_US, REQUEST_COUNT, REQUEST_LATENCY
from appliance.errors import ApplianceError


def counted(metrics: Metrics, api: str, name_of: Callable[[Any], str], answer: Answer) -> Answer:
    """`answer`, under the model that `name_of` finds in the request. Costs microseconds."""

    def counting(request: Any, deadline_s: float | None) -> bytes:
        started = time.perf_counter_ns()
        name = name_of(request)
        try:
            response = answer(request, deadline_s)
        except ApplianceError as error:
            metrics.count(REQUEST_COUNT, model_name=name, status=code_of(error).name)
            raise
        took_us = (time.perf_counter_ns() - started) / 1000
        metrics.sample(REQUEST_LATENCY, took_us, LATENCY_US, model_name=name, API=api, entrypoint="GRPC")
        metrics.count(REQUEST_COUNT, model_name=name, status=Code.OK.name)
        return response

    return counting
