"""How it starts, and what it says where it cannot."""

import re
import subprocess
import sys

import pytest
from running import until
from served import REPOSITORY, model_list, one_model, publish, refused

from appliance.dataplane.errors import RequestError
from appliance.serve.flag import Flag
from appliance.serve.flags import FLAGS, effective, without_effect
from appliance.serve.values import Values

TENSORFLOW_MODEL_SERVER = [
    "port",
    "grpc_socket_path",
    "rest_api_port",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
    "rest_api_enable_cors_support",
    "enable_batching",
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_per_model_batching_parameters",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "model_name",
    "model_base_path",
    "num_load_threads",
    "num_unload_threads",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "file_system_poll_wait_seconds",
    "flush_filesystem_caches",
    "tensorflow_session_parallelism",
    "tensorflow_session_config_file",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "use_alts_credentials",
    "ssl_config_file",
    "platform_config_file",
    "per_process_gpu_memory_fraction",
    "saved_model_tags",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "enable_model_warmup",
    "num_request_iterations_for_warmup",
    "version",
    "monitoring_config_file",
    "remove_unused_fields_from_bundle_metagraph",
    "prefer_tflite_model",
    "num_tflite_pools",
    "num_tflite_interpreters_per_pool",
    "enable_signature_method_name_check",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
    "enable_profiler",
    "thread_pool_factory_config_file",
    "mixed_precision",
    "skip_initialize_tpu",
    "enable_grpc_healthcheck_service",
    "enable_serialization_as_tensor_content",
]


def test_every_flag_of_tensorflow_model_server_is_known():
    assert [name for name in TENSORFLOW_MODEL_SERVER if name not in FLAGS] == []


def test_its_defaults_are_tensorflow_model_servers():
    values = effective({})
    assert values["port"] == 8500
    assert values["rest_api_port"] == 0
    assert values["rest_api_timeout_in_ms"] == 30_000
    assert values["model_name"] == "default"
    assert values["max_num_load_retries"] == 5
    assert values["load_retry_interval_micros"] == 60_000_000
    assert values["file_system_poll_wait_seconds"] == 1
    assert values["model_config_file_poll_wait_seconds"] == 0
    assert values["enable_model_warmup"] is True
    assert values["saved_model_tags"] == "serve"


def test_a_flag_without_effect_says_why():
    (sentence,) = without_effect({"enable_profiler": True, "port": 1})
    assert sentence.startswith("--enable_profiler has no effect here: ")
    assert not any(flag.no_effect == "" for flag in FLAGS.values())
    assert all(isinstance(flag, Flag) for flag in FLAGS.values())


WRONG = [
    ({}, "Both server_options.model_base_path and server_options.model_config_file are empty!"),
    ({"port": 0}, "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."),
    ({"batching_parameters_file": "x"}, "batching_parameters_file is set without setting"),
    ({"use_alts_credentials": True, "ssl_config_file": "x"}, "Either use_alts_credentials must be false or"),
    ({"use_alts_credentials": True}, "use --ssl_config_file"),
    ({"rest_api_port": 8500}, "--rest_api_port cannot be same as --port"),
    ({"port": 70_000}, "--port=70000 is no TCP port"),
    (
        {f"tensorflow_{each}_parallelism": 1 for each in ("session", "intra_op", "inter_op")},
        "You cannot configure all.",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), WRONG)
def test_flags_that_contradict_each_other_are_refused(given, sentence):
    base = {} if sentence.startswith("Both") else {"model_base_path": "/x"}
    with pytest.raises(RequestError) as caught:
        Values({**base, **given})
    assert sentence in str(caught.value)


def run(*arguments, timeout_s=40):
    command = [sys.executable, "-m", "appliance.cli", "serve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s, cwd=REPOSITORY)


def test_it_explains_itself_with_examples():
    said = run("--help")
    assert said.returncode == 0
    assert "examples:" in said.stdout
    assert "appliance serve --model_name=half_plus_two" in said.stdout
    assert re.match(r"TensorFlow ModelServer: 2\.[\w., ]+\nTensorFlow Library: [\d.]+\n$", run("--version").stdout)


@pytest.mark.parametrize("arguments", [["--no_such_flag=1"], ["--port=many"], ["--enable_batching=perhaps"]])
def test_wrong_usage_is_told_apart(arguments):
    said = run(*arguments)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_a_user_error_is_one_sentence(tmp_path, bases):
    bad = tmp_path / "bad.config"
    bad.write_text("improperly formatted file")
    for arguments, sentence in (
        ([], "INVALID_ARGUMENT: Both server_options.model_base_path"),
        (["--model_config_file", bad], "Error parsing text-format tensorflow.serving.ModelServerConfig"),
        (["--model_config_file", tmp_path / "none"], "cannot be read: No such file or directory"),
        (["--model_base_path", "relative"], "Expected model default to have an absolute path or URI"),
        (["--model_base_path", bases / "two", "--bind_address=nowhere", "--port=-1"], "gRPC cannot be answered on"),
        (["--model_base_path", bases / "two", "--engines=magic"], "engines.0: "),
    ):
        said = run(*arguments)
        assert said.returncode == 1, said.stderr
        assert sentence in said.stderr
        assert "Traceback" not in said.stderr
        assert said.stderr.splitlines()[-1].startswith("Failed to start server. Error: ")


def test_flags_come_with_a_space_or_an_equals_sign_and_booleans_alone(server, bases):
    box = server("--model_base_path", str(bases / "two"), "--enable_batching", "--enable_model_warmup", "false").up()
    assert box.client().predict("default", x=[1.0]) == (1, [2.5])


def test_a_model_that_does_not_load_ends_the_start(server, bases, broken, tmp_path):
    config = tmp_path / "models.config"
    config.write_text(model_list(one_model("two", bases / "two"), one_model("broken", broken)))
    box = server(f"--model_config_file={config}")
    assert box.exit_code() == 1
    last = box.log().splitlines()[-1]
    assert "1 servable(s) did not become available: {{{name: broken version: 1} due to error: " in last
    assert "Running gRPC ModelServer" not in box.log()
    assert "Traceback" not in box.log()


def test_failed_models_can_be_tolerated(server, bases, broken, tmp_path):
    config = tmp_path / "models.config"
    config.write_text(model_list(one_model("two", bases / "two"), one_model("broken", broken)))
    client = server(f"--model_config_file={config}", "--start_with_failed_models").up().client()
    assert client.predict("two", x=[1.0]) == (1, [2.5])
    assert client.states("broken")[1][0] == "END"
    assert client.states("broken")[1][1] != 0


def test_the_ports_open_when_the_last_model_serves(server, saved_models, tmp_path):
    """A base path that is yet to come keeps the start waiting, as long as it takes; nobody is told NOT_FOUND."""
    box = server(f"--model_base_path={tmp_path / 'late'}")
    until(lambda: "Could not find base path" in box.log(), "the missing path to be reported", 20)
    assert box.process.poll() is None
    assert "Running gRPC ModelServer" not in box.log()
    publish(saved_models / "plus_2", tmp_path / "late", 1)
    box.up()
    assert box.log().count("Could not find base path") == 1
    client = box.client()
    assert client.predict("default", x=[1.0]) == (1, [2.5])
    code, text = refused(client.predict, "nobody", x=[1.0])  # how TensorFlow Serving's own harness probes readiness
    assert (code, text) == ("NOT_FOUND", "Servable not found for request: Latest(nobody)")
