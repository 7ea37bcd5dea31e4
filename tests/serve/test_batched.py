"""Batching, as flags and files ask for it."""

import pytest
from running import until
from served import Clients, publish, refused


@pytest.fixture
def parameters(tmp_path):
    file = tmp_path / "batching.config"
    file.write_text(
        "max_batch_size { value: 4 } batch_timeout_micros { value: 2000 } max_enqueued_batches { value: 100 } "
        "num_batch_threads { value: 2 }"
    )
    return file


def test_requests_of_several_clients_share_a_run(server, bases, parameters, tmp_path):
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    box = server(
        f"--model_base_path={bases / 'two'}",
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
        f"--monitoring_config_file={monitoring}",
    ).up()
    with Clients(box, 8, "default", x=[1.0]) as clients:
        pass
    assert clients.failures == []
    assert {tuple(values) for answers in clients.answers for _, values in answers} == {(2.5,)}
    code, text = refused(box.client().predict, "default", x=[1.0] * 5)
    assert (code, text) == (
        "INVALID_ARGUMENT",
        "Task size 5 is larger than maximum input batch size 4",
    )
    assert ":tensorflow:serving:batching_session:queuing_latency" in box.get("/monitoring/prometheus/metrics")[1]


def test_a_version_brings_its_own_parameters(server, bases, saved_models, parameters):
    """Where each version's own count, one without any is not batched."""
    box = server(
        f"--model_base_path={bases / 'two'}",
        "--enable_batching=true",
        f"--batching_parameters_file={parameters}",
        "--enable_per_model_batching_parameters=true",
    ).up()
    client = box.client()
    assert client.predict("default", x=[1.0] * 5) == (1, [2.5] * 5)
    own = bases / "staged"
    publish(saved_models / "plus_4", own, 2)
    (own / "2" / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    (own / "2").rename(bases / "two" / "2")
    with Clients(box, 1, "default", x=[1.0, 1.0]) as clients:
        until(lambda: clients.all_are_at(2), "version 2", 20)
    assert clients.failures == []
    assert refused(client.predict, "default", x=[1.0] * 3)[0] == "INVALID_ARGUMENT"


def test_wrong_parameters_end_the_start(server, bases, tmp_path):
    file = tmp_path / "batching.config"
    file.write_text("max_batch_size { value: 4 } allowed_batch_sizes: 3")
    box = server(f"--model_base_path={bases / 'two'}", "--enable_batching", f"--batching_parameters_file={file}")
    assert box.exit_code() == 1
    assert "Last entry in allowed_batch_sizes must match max_batch_size" in box.log()
    assert "Traceback" not in box.log()
