"""A served box, for clients that are none of ours."""

import pytest
from model_server import ModelServer, models


@pytest.fixture(scope="session")
def model_folder():
    return models()


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    server = ModelServer(tmp_path_factory.mktemp("served"), "--enable_open_inference")
    yield server
    server.end()
