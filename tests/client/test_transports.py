"""Other ways to the server: a UNIX socket, TLS, and a REST server that is none of ours."""

import http.server
import json
import threading

import pytest
from certificates import make_certificates
from model_server import ModelServer


def test_a_unix_socket(said, served):
    code, out, _ = said(
        "predict", "half_plus", "--input", "x=2", "--server", f"unix:{served.config_file.parent}/grpc.sock"
    )
    assert code == 0
    assert "[4.]" in out


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The folder of a root, and a server's and a client's certificate by it."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory, certificates):
    """A server that lets in who has a certificate."""

    def pem(name):
        return json.dumps((certificates / name).read_text())

    folder = tmp_path_factory.mktemp("secured")
    pair = f"server_key: {pem('server.key')} server_cert: {pem('server.pem')}"
    (folder / "ssl.config").write_text(f"{pair} custom_ca: {pem('ca.pem')} client_verify: true")
    server = ModelServer(folder, f"--ssl_config_file={folder / 'ssl.config'}")
    yield server
    server.end()


def test_mutual_tls(said, secured, certificates):
    ask = ("predict", "half_plus", "--input", "x=2", "--server", secured.server)
    ca = ("--ca", certificates / "ca.pem")
    mine = ("--cert", certificates / "client.pem", "--key", certificates / "client.key")
    code, out, _ = said(*ask, *ca, *mine)
    assert code == 0
    assert "[4.]" in out
    for others in ((), ca):
        code, out, err = said(*ask, *others)
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert secured.server in err
    code, _, err = said("list", "--rest", secured.rest)
    assert code == 0


def test_tls_files_that_are_not_there_are_told(said, tmp_path):
    code, _, err = said("status", "surface", "--ca", tmp_path / "none.pem")
    assert code == 1
    assert "none.pem" in err


@pytest.fixture
def stranger():
    """An HTTP server that has no list of models, as tensorflow_model_server has none."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_without_a_list_is_told_of_and_asked_by_name(said, served, stranger):
    code, _, err = said("list", "--rest", stranger)
    assert code == 1
    assert "tensorflow_model_server has no such call" in err
    assert "appliance models status NAME" in err
    code, out, _ = said("status", "half_plus", "--rest", stranger, "--server", served.server)
    assert code == 0
    assert out.splitlines()[1].split()[2:] == ["AVAILABLE", "-", "-", "-"]


def test_a_port_that_speaks_no_http_is_told_of(said, served):
    code, _, err = said("list", "--rest", f"http://{served.server}")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "does not speak HTTP" in err
