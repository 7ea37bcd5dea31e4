"""Every flag of tensorflow_model_server under its own name, and ours beside them.

Names, defaults and meanings: tensorflow_serving/model_servers/main.cc. A flag that makes no sense in this program is
accepted, since scripts and charts pass it, and a warning says why it changes nothing.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Final

from appliance.serve.flag import Flag, Value

_CPUS: Final = os.cpu_count() or 1
_OFF: Final = False
_ON: Final = True

_PORTS: Final = (
    Flag("port", 8500, "TCP port of gRPC. 0: none, a UNIX socket only. -1: any free one; it is printed"),
    Flag("grpc_socket_path", "", "UNIX socket on which gRPC is answered, too"),
    Flag("rest_api_port", 0, "TCP port of REST; must be another than --port. 0: none. -1: any free one"),
    Flag("rest_api_num_threads", 4 * _CPUS, "REST requests worked on at once"),
    Flag("rest_api_timeout_in_ms", 30_000, "a REST request's model may take so long, its waiting included"),
    Flag("rest_api_enable_cors_support", _OFF, "let web pages of other hosts ask"),
    Flag("grpc_max_threads", 4 * _CPUS, "gRPC requests worked on at once"),
    Flag("grpc_channel_arguments", "", "for the gRPC server, such as grpc.max_connection_age_ms=2000,..."),
    Flag("ssl_config_file", "", "text of an SSLConfig: gRPC is answered over TLS only"),
    Flag("use_alts_credentials", _OFF, "Google's own transport security; refused here: use --ssl_config_file"),
    Flag("enable_grpc_healthcheck_service", _OFF, "answer grpc.health.v1.Health"),
    Flag("monitoring_config_file", "", "text of a MonitoringConfig: metrics for Prometheus on the REST port"),
    Flag("enable_serialization_as_tensor_content", _OFF, "answer Predict with tensor_content and not with *_val"),
    Flag("enable_signature_method_name_check", _OFF, "hold each signature's method_name to the call"),
)
_MODELS: Final = (
    Flag("model_name", "default", "name of the one model; ignored with --model_config_file"),
    Flag("model_base_path", "", "absolute folder of the one model's numbered versions; or --model_config_file"),
    Flag("model_config_file", "", "text of a ModelServerConfig: several models, version policies, labels"),
    Flag("model_config_file_poll_wait_seconds", 0, "look at that file so often; 0: at the start and at SIGHUP only"),
    Flag("file_system_poll_wait_seconds", 1, "look for new versions so often; 0: once"),
    Flag("allow_version_labels_for_unavailable_models", _OFF, "labels not in use may point at versions to come"),
    Flag("num_load_threads", 0, "models loaded at once beside those that serve; 0: one thread"),
    Flag("num_unload_threads", 0, "models unloaded at once; 0: one thread"),
    Flag("max_num_load_retries", 5, "attempts after the first; content that can never load is not tried again"),
    Flag("load_retry_interval_micros", 60_000_000, "from one attempt to the next; loads of others do not wait for it"),
)
_RUNNING: Final = (
    Flag("enable_model_warmup", _ON, "run a version's assets.extra/tf_serving_warmup_requests before it serves"),
    Flag("num_request_iterations_for_warmup", 0, "replay each of them so often; 0: once"),
    Flag("saved_model_tags", "serve", "tags of the graph to load, separated by commas"),
    Flag("prefer_tflite_model", _OFF, "where a version has a model.tflite, serve that"),
    Flag("num_tflite_pools", _CPUS, "interpreters of one TensorFlow Lite model, times those of a pool"),
    Flag("num_tflite_interpreters_per_pool", 1, "see --num_tflite_pools"),
    Flag("per_process_gpu_memory_fraction", 0.0, "share of the GPU's memory; 0: as much as is needed"),
    Flag("tensorflow_session_parallelism", 0, "threads of a session, for both of the next two"),
    Flag(
        "tensorflow_intra_op_parallelism",
        0,
        "threads for one operation; 0: one, the request's own; -1: one for each processor, for large models",
    ),
    Flag("tensorflow_inter_op_parallelism", 0, "operations of one request beside each other"),
    Flag("tensorflow_session_config_file", "", "text of a ConfigProto; the flags above go before it"),
)
_BATCHING: Final = (
    Flag("enable_batching", _OFF, "run requests of several clients as one"),
    Flag("batching_parameters_file", "", "text of BatchingParameters; needs --enable_batching"),
    Flag("enable_per_model_batching_parameters", _OFF, "each version's own batching_params.pbtxt goes before it"),
)
_OURS: Final = (
    Flag("bind_address", "0.0.0.0", "IP address of both ports; 127.0.0.1: this machine only"),  # noqa: S104 - as tensorflow_model_server; there is no login
    Flag("engines", "tensorflow-saved-model", "engines that may run a model, separated by commas; see README"),
    Flag("prepared_folder", "", "where other engines keep prepared versions [~/.cache/appliance/prepared]"),
    Flag("model_memory_mb", 0, "host memory for all models; one that does not fit is refused. 0: what the machine has"),
    Flag("gpu", _OFF, "run models on the GPU"),
    Flag("gpu_memory_mb", 0, "GPU memory for all models; 0: it is not counted"),
    Flag("gpu_memory_budget_mb", 0, "what one version is counted with against --gpu_memory_mb"),
    Flag("enable_open_inference", _OFF, "answer the Open Inference Protocol (/v2) on the REST port, too"),
    Flag("max_queued_requests", 64, "requests of each port that may wait for a thread; more are refused"),
    Flag("max_request_mb", 256, "largest request, megabytes"),
    Flag("reload_timeout_s", 60.0, "a reload waits so long for the models it adds, then it fails and changes nothing"),
    Flag("exit_timeout_s", 30.0, "SIGTERM: requests under way may take so long to end"),
    Flag("servable_versions_always_present", _ON, "an emptied folder unloads nothing"),
    Flag("load_on_first_request", _OFF, "load a version when it is first asked for; its first request waits"),
    Flag("start_with_failed_models", _OFF, "open the ports also where a model does not load or is not there"),
)
_INERT: Final = (
    Flag("flush_filesystem_caches", _ON, "", "the page cache is the kernel's, which frees it when memory is short."),
    Flag("enable_profiler", _ON, "", "there is no tensorflow.ProfilerService; use perf or py-spy."),
    Flag("platform_config_file", "", "", "TensorFlow is the only platform; its settings are flags."),
    Flag("thread_pool_factory_config_file", "", "", "sessions use TensorFlow's own thread pools."),
    Flag("remove_unused_fields_from_bundle_metagraph", _ON, "", "no MetaGraphDef is kept after loading."),
    Flag("mixed_precision", "", "", "models run in the precision that they were saved with."),
    Flag("xla_cpu_compilation_enabled", _OFF, "", "XLA would compile on a client's time, for each new shape."),
    Flag("xla_gpu_compilation_enabled", _OFF, "", "XLA would compile on a client's time, for each new shape."),
    Flag("skip_initialize_tpu", _OFF, "", "there is no TPU support."),
)
VERSION: Final = Flag("version", _OFF, "print the version and end")

GROUPS: Final[Sequence[tuple[str, Sequence[Flag]]]] = (
    ("models", _MODELS),
    ("ports", _PORTS),
    ("running models", _RUNNING),
    ("batching", _BATCHING),
    ("beyond tensorflow_model_server", _OURS),
    ("accepted from tensorflow_model_server, without effect", _INERT),
    ("other", (VERSION,)),
)
FLAGS: Final[Mapping[str, Flag]] = {flag.name: flag for _, flags in GROUPS for flag in flags}


def effective(given: Mapping[str, Value]) -> dict[str, Value]:
    """Every flag's value: what was given, else the default."""
    return {name: given.get(name, flag.default) for name, flag in FLAGS.items()}


def without_effect(given: Mapping[str, Value]) -> list[str]:
    """A sentence for each flag that was given and changes nothing."""
    flags = [FLAGS[name] for name in given if name in FLAGS]
    return [f"--{flag.name} has no effect here: {flag.no_effect}" for flag in flags if flag.no_effect is not None]
