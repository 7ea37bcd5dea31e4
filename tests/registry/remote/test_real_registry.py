"""Debian's docker-registry, as it is: open, with passwords, and as a pull-through cache."""

import pytest
from registry_server import PASSWORD, USER, Registry, put_package


@pytest.fixture
def folder(tmp_path):
    package = tmp_path / "package"
    (package / "variables").mkdir(parents=True)
    (package / "saved_model.pb").write_bytes(b"graph" * 1000)
    (package / "variables" / "variables.index").write_bytes(b"index")
    return package


@pytest.fixture
def registry(tmp_path):
    started = Registry(tmp_path / "registry").start()
    yield started
    started.stop()


def test_uploader(registry, folder, tmp_path):
    digest = put_package(registry.url, "models/surface", "line3", folder)
    assert digest.startswith("sha256:")
    assert digest == put_package(registry.url, "models/surface", "line3", folder)
    locked = Registry(tmp_path / "locked", htpasswd=True).start()
    assert put_package(locked.url, "models/surface", "line3", folder, login=(USER, PASSWORD)) == digest
    locked.stop()
    print(registry.requests())
