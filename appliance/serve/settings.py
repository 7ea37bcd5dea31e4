"""From flags to the settings of each part."""

import os
from pathlib import Path
from typing import Any, Final

from pydantic import ByteSize, ValidationError

from appliance.batching import BatchingParameters, parameters_of
from appliance.dataplane.errors import Code, RequestError, request_error
from appliance.errors import ApplianceError
from appliance.protos import message
from appliance.runtimes.config import GpuConfig, RuntimeConfig, SessionConfig
from appliance.serve.files import read_message
from appliance.serve.values import Values
from appliance.server_core import ConfigFile, CoreSettings
from appliance.serving import ResourceAllocation, gpu_ram, main_ram

_MB: Final = 1_000_000
_METRICS_PATH: Final = "/monitoring/prometheus/metrics"


def core_settings(values: Values) -> CoreSettings:
    """How configurations are applied."""
    return CoreSettings(
        poll_s=max(0.0, float(values.whole("file_system_poll_wait_seconds"))),
        reload_timeout_s=max(0.0, values.real("reload_timeout_s")),
        versions_always_present=values.yes("servable_versions_always_present"),
        labels_for_unavailable=values.yes("allow_version_labels_for_unavailable_models"),
        tolerate_failed_models=values.yes("start_with_failed_models"),
    )


def first_config(values: Values, file: ConfigFile | None) -> Any:
    """The ModelServerConfig to start with: the file's, or one of a single model. Raises: RequestError."""
    if file is not None:
        return file.read()
    config = message("tensorflow.serving.ModelServerConfig")()
    config.model_config_list.config.add(
        name=values.text("model_name"), base_path=values.text("model_base_path"), model_platform="tensorflow"
    )
    return config


def runtime_config(values: Values) -> RuntimeConfig:
    """How versions are prepared and run. Raises: RequestError."""
    copies = {}
    if values.is_given("num_tflite_pools") or values.is_given("num_tflite_interpreters_per_pool"):
        copies["copies"] = values.whole("num_tflite_pools") * values.whole("num_tflite_interpreters_per_pool")
    try:
        return RuntimeConfig(
            cache=_cache(values),
            engines=tuple(_listed(values.text("engines"))),
            threads=max(1, _parallelism(values, "intra_op")),
            gpu=_gpu(values),
            session=_session(values),
            tags=tuple(_listed(values.text("saved_model_tags"))) or ("serve",),
            prefer_tflite_model=values.yes("prefer_tflite_model"),
            warm_up=values.yes("enable_model_warmup"),
            must_run=False,
            **copies,
        )
    except ValidationError as error:
        sentences = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise RequestError(Code.INVALID_ARGUMENT, f"The flags for running models do not fit: {sentences}") from error


def resources(values: Values) -> ResourceAllocation:
    """The memory that models may take."""
    host = values.whole("model_memory_mb") * _MB or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpu = values.whole("gpu_memory_mb") * _MB
    return main_ram(host) + gpu_ram(gpu, 0) if gpu else main_ram(host)


def batching(values: Values) -> BatchingParameters | None:
    """How requests are joined; None: they are not. Raises: RequestError."""
    if not values.yes("enable_batching"):
        return None
    file = values.text("batching_parameters_file")
    name = "tensorflow.serving.BatchingParameters"
    try:
        if not file:
            return BatchingParameters(thread_pool_name="model_server_batch_threads")
        return parameters_of(read_message(name, Path(file)))
    except ApplianceError as error:
        raise request_error(error) from error


def metrics_path(values: Values) -> str | None:
    """Where REST shows metrics; None: nowhere. Raises: RequestError."""
    file = values.text("monitoring_config_file")
    if not file:
        return None
    prometheus = read_message("tensorflow.serving.MonitoringConfig", Path(file)).prometheus_config
    return (prometheus.path or _METRICS_PATH) if prometheus.enable else None


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _cache(values: Values) -> Path:
    folder = values.text("prepared_folder")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) if folder else Path(home) / "appliance" / "prepared"


def _gpu(values: Values) -> GpuConfig | None:
    fraction = values.real("per_process_gpu_memory_fraction")
    if not values.yes("gpu") and fraction <= 0:
        return None
    is_counted = values.whole("gpu_memory_mb") > 0
    budget = values.whole("gpu_memory_budget_mb") * _MB if is_counted else 0
    return GpuConfig(memory_fraction=fraction or None, memory_budget=ByteSize(budget) if budget else None)


def _session(values: Values) -> SessionConfig:
    file = values.text("tensorflow_session_config_file")
    base = read_message("tensorflow.ConfigProto", Path(file)).SerializeToString() if file else b""
    if not _asks_for_threads(values):
        # One thread: what a model of a camera's size gains by several it loses to handing over (decision 13).
        return SessionConfig(base=base, intra_op=None if base else 1)
    return SessionConfig(
        base=base, intra_op=_parallelism(values, "intra_op"), inter_op=_parallelism(values, "inter_op") or None
    )


def _asks_for_threads(values: Values) -> bool:
    return any(values.whole(f"tensorflow_{each}_parallelism") for each in ("session", "intra_op", "inter_op"))


def _parallelism(values: Values, which: str) -> int:
    """As tensorflow_model_server reads its three flags: one for both, or each for itself."""
    own = [values.whole(f"tensorflow_{each}_parallelism") for each in ("intra_op", "inter_op")]
    if any(own):
        return max(0, own[which == "inter_op"])
    return max(0, values.whole("tensorflow_session_parallelism"))
