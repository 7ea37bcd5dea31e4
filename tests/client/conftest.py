"""One real server for all of these tests, with small models of its own, and the command as a person types it."""

import shutil

import pytest
from model_server import ModelServer, config_text, models

from appliance.cli import main


@pytest.fixture(scope="session")
def model_folder():
    return models()


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The server; whoever changes its configuration puts it back."""
    folder = tmp_path_factory.mktemp("served")
    server = ModelServer(folder, f"--grpc_socket_path={folder / 'grpc.sock'}")
    yield server
    server.end()


@pytest.fixture
def said(capsys):
    """Run `appliance models ...` in this process; its exit code, output and error output."""

    def run(*arguments):
        try:
            code = main(["models", *map(str, arguments)])
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def asked(said, served):
    """As `said`, of the server."""
    return lambda *arguments: said(*arguments, "--server", served.server, "--rest", served.rest)


@pytest.fixture
def config_file(tmp_path, asked):
    """A copy of the server's configuration to change; the server has its own again afterwards."""
    file = tmp_path / "models.config"
    file.write_text(config_text(models()))
    kept = tmp_path / "kept.config"
    shutil.copy(file, kept)
    yield file
    assert asked("reload", kept)[0] == 0
