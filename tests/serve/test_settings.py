"""What flags and files mean to each part."""

import pytest

from appliance.dataplane.errors import RequestError
from appliance.protos import message
from appliance.serve import settings
from appliance.serve.values import Values


def values(**given):
    return Values({"model_base_path": "/models/m", **given})


def test_without_flags_a_model_runs_as_its_saved_model_on_the_processor():
    runtime = settings.runtime_config(values())
    assert runtime.engines == ("tensorflow-saved-model",)
    assert runtime.tags == ("serve",)
    assert runtime.gpu is None
    assert runtime.warm_up
    assert (runtime.session.intra_op, runtime.session.inter_op) == (1, None)  # on the request's own thread
    assert settings.metrics_path(values()) is None
    assert settings.batching(values()) is None


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        ({"tensorflow_session_parallelism": 3}, (3, 3)),
        ({"tensorflow_intra_op_parallelism": 2}, (2, None)),
        ({"tensorflow_intra_op_parallelism": 2, "tensorflow_inter_op_parallelism": 4}, (2, 4)),
        ({"tensorflow_inter_op_parallelism": 4}, (0, 4)),
        ({"tensorflow_intra_op_parallelism": -1}, (0, None)),
    ],
)
def test_threads_of_a_session(given, threads):
    session = settings.runtime_config(values(**given)).session
    assert (session.intra_op, session.inter_op) == threads


def test_a_sessions_own_file_goes_before_defaults_and_after_flags(tmp_path):
    file = tmp_path / "session.config"
    file.write_text("intra_op_parallelism_threads: 5 allow_soft_placement: true")
    session = settings.runtime_config(values(tensorflow_session_config_file=str(file))).session
    assert message("tensorflow.ConfigProto").FromString(session.base).intra_op_parallelism_threads == 5
    assert session.intra_op is None
    both = values(tensorflow_session_config_file=str(file), tensorflow_session_parallelism=2)
    assert settings.runtime_config(both).session.intra_op == 2
    file.write_text("no_such_field: 5")
    with pytest.raises(RequestError, match="Error parsing text-format tensorflow") as caught:
        settings.runtime_config(values(tensorflow_session_config_file=str(file)))
    assert str(file) in str(caught.value)


def test_the_gpu_is_used_where_it_is_asked_for():
    assert settings.runtime_config(values(per_process_gpu_memory_fraction=0.5)).gpu.memory_fraction == 0.5
    counted = values(gpu=True, gpu_memory_mb=8_000, gpu_memory_budget_mb=500)
    assert settings.runtime_config(counted).gpu.memory_budget == 500_000_000
    assert "gpu/0/ram: 8000000000" in str(settings.resources(counted))
    assert settings.runtime_config(values(gpu=True, gpu_memory_budget_mb=500)).gpu.memory_budget is None
    with pytest.raises(RequestError, match="memory_fraction"):
        settings.runtime_config(values(per_process_gpu_memory_fraction=1.5))


def test_tensorflow_lite_has_as_many_interpreters_as_flags_say():
    assert settings.runtime_config(values(num_tflite_pools=3, num_tflite_interpreters_per_pool=2)).copies == 6


def test_the_monitoring_file_says_where_metrics_are(tmp_path):
    file = tmp_path / "monitoring.config"
    for text, path in (
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/m" }', "/m"),
        ('prometheus_config { path: "/m" }', None),
        ("", None),
    ):
        file.write_text(text)
        assert settings.metrics_path(values(monitoring_config_file=str(file))) == path


def test_batching_has_tensorflow_model_servers_defaults(tmp_path):
    assert settings.batching(values(enable_batching=True)).thread_pool_name == "model_server_batch_threads"
    file = tmp_path / "batching.config"
    file.write_text("max_batch_size { value: 3 }")
    assert settings.batching(values(enable_batching=True, batching_parameters_file=str(file))).max_batch_size == 3


def test_how_configurations_are_applied():
    core = settings.core_settings(values(file_system_poll_wait_seconds=-1, reload_timeout_s=5.0))
    assert (core.poll_s, core.reload_timeout_s, core.versions_always_present) == (0.0, 5.0, True)
    config = settings.first_config(values(model_name="m"), None)
    assert [(each.name, each.base_path, each.model_platform) for each in config.model_config_list.config] == [
        ("m", "/models/m", "tensorflow")
    ]
