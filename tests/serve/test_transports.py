"""The ways in: a UNIX socket, TLS, mutual TLS, REST, metrics, health."""

import os

import grpc
import pytest
from certificates import make_certificates
from running import until
from served import Client, refused


def test_a_unix_socket_beside_the_port(server, bases, tmp_path):
    path = tmp_path / "x.sock"
    box = server(f"--model_base_path={bases / 'two'}", f"--grpc_socket_path={path}").up()
    assert Client(grpc.insecure_channel(f"unix:{path}")).predict("default", x=[1.0]) == (1, [2.5])
    assert box.client().predict("default", x=[1.0]) == (1, [2.5])
    assert box.stop() == 0


def test_a_unix_socket_alone(server, bases, tmp_path):
    path = tmp_path / "x.sock"
    box = server(f"--model_base_path={bases / 'two'}", f"--grpc_socket_path={path}", "--port=0").up()
    assert "Running gRPC ModelServer at 127" not in box.log()
    assert Client(grpc.insecure_channel(f"unix:{path}")).predict("default", x=[1.0]) == (1, [2.5])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A root, a server's and a client's certificate, and a stranger's; as PEM texts."""
    folder = make_certificates(tmp_path_factory.mktemp("certificates"))
    return {file.name: file.read_text() for file in folder.iterdir() if file.suffix in (".pem", ".key")}


def ssl_config(certificates, **more):
    fields = {"server_key": certificates["server.key"], "server_cert": certificates["server.pem"], **more}
    lines = []
    for name, value in fields.items():
        text = value if value == "true" else '"' + value.replace("\n", "\\n") + '"'
        lines.append(f"{name}: {text}")
    return "\n".join(lines)


def secure(box, certificates, who=None):
    pair = [certificates[f"{who}.key"].encode(), certificates[f"{who}.pem"].encode()] if who else [None, None]
    credentials = grpc.ssl_channel_credentials(certificates["ca.pem"].encode(), *pair)
    return Client(grpc.secure_channel(f"localhost:{box.grpc_port}", credentials))


def test_tls(server, bases, tmp_path, certificates):
    config = tmp_path / "ssl.config"
    config.write_text(ssl_config(certificates))
    box = server(f"--model_base_path={bases / 'two'}", f"--ssl_config_file={config}").up()
    assert secure(box, certificates).predict("default", x=[1.0]) == (1, [2.5])
    assert refused(box.client().predict, "default", 5, x=[1.0])[0] == "UNAVAILABLE"


def test_mutual_tls(server, bases, tmp_path, certificates):
    config = tmp_path / "ssl.config"
    config.write_text(ssl_config(certificates, custom_ca=certificates["ca.pem"], client_verify="true"))
    box = server(f"--model_base_path={bases / 'two'}", f"--ssl_config_file={config}").up()
    assert secure(box, certificates, "client").predict("default", x=[1.0]) == (1, [2.5])
    assert refused(secure(box, certificates).predict, "default", 5, x=[1.0])[0] == "UNAVAILABLE"
    assert refused(secure(box, certificates, "stranger").predict, "default", 5, x=[1.0])[0] == "UNAVAILABLE"


def test_certificates_that_are_none_end_the_start_with_a_sentence(server, bases, tmp_path):
    config = tmp_path / "ssl.config"
    config.write_text('server_key: "none" server_cert: "none"')
    box = server(f"--model_base_path={bases / 'two'}", f"--ssl_config_file={config}")
    assert box.exit_code() == 1
    assert "Failed to start server. Error: " in box.log()
    assert "Traceback" not in box.log()


def test_rest_and_its_metrics(server, bases, tmp_path):
    config = tmp_path / "monitoring.config"
    config.write_text('prometheus_config { enable: true path: "/metrics/of/mine" }')
    extra = bases / "two" / "1" / "assets.extra"
    extra.mkdir()
    (extra / "mlmd_uuid").write_text("run-7")
    box = server(
        f"--model_base_path={bases / 'two'}",
        "--model_name=two",
        f"--monitoring_config_file={config}",
        "--enable_open_inference",
    ).up()
    assert box.get("/v1/models/two:predict", {"instances": [1.0, 2.0]}) == (
        200,
        '{\n    "predictions": [2.5, 3.0\n    ]\n}',
    )
    assert box.get("/v1/models/nobody:predict", {"instances": [1.0]})[0] == 404
    assert '"state": "AVAILABLE"' in box.get("/v1/models/two")[1]
    status, text = box.get("/metrics/of/mine")
    assert status == 200
    path = f'model_path="{bases / "two" / "1"}",status="success"'
    assert f":tensorflow:cc:saved_model:load_attempt_count{{{path}}} 1" in text
    assert "run-7" in text
    assert box.get("/v2/health/ready")[0] == 200
    assert box.get("/monitoring/prometheus/metrics")[0] == 404


def test_a_taken_port_is_one_sentence(server, bases):
    first = server(f"--model_base_path={bases / 'two'}").up()
    for flags in (
        [f"--port={first.grpc_port}"],
        [f"--rest_api_port={first.rest_port}"],
    ):
        second = server(f"--model_base_path={bases / 'two'}", *flags)
        assert second.exit_code() == 1
        assert "Failed to start server. Error: " in second.log()
        assert "Traceback" not in second.log()


def test_it_starts_without_tensorflows_python(server, bases):
    box = server(f"--model_base_path={bases / 'two'}", environment=os.environ | {"PYTHONVERBOSE": "1"})
    until(lambda: "Exporting HTTP/REST API at" in box.log(), "the ports", 40)
    imported = {line.split("'")[1] for line in box.log().splitlines() if line.startswith("import '")}
    assert "grpc" in imported
    assert not {"tensorflow", "tensorflow_serving", "keras"} & imported
