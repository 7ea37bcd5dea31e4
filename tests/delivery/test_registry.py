"""From Debian's docker-registry onto a box: what is signed comes, what is not is refused before it is fetched."""

import json
import shutil
from pathlib import Path

import pytest
from delivery.publisher import Publisher
from delivery.rig import PlayedCandidate, Rig
from registry_server import PASSWORD, USER, Registry, put_package
from running import DEMO_MODEL, until

REPOSITORY = "models/surface"


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def registry(tmp_path):
    with Registry(tmp_path / "docker-registry") as running:
        yield running


def box(tmp_path: Path, publisher: Publisher, monkeypatch, registry: Registry, **more) -> Rig:
    """With a factory model that shares no file with what is pushed."""
    factory = tmp_path / "factory"
    shutil.copytree(DEMO_MODEL, factory, dirs_exist_ok=True)
    for file in factory.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes() + b" ")
    source = f"oci+http://{registry.host}/{REPOSITORY}:stable"
    return Rig(tmp_path, publisher, monkeypatch, factory=factory, source=source, **more)


def blobs_asked(registry: Registry) -> list[str]:
    return [line for line in registry.requests() if line.startswith("GET") and "/blobs/" in line]


def test_what_was_pushed_serves_and_its_next_release_brings_only_what_changed(
    tmp_path, publisher, monkeypatch, registry
):
    put_package(registry.url, REPOSITORY, "stable", publisher.package(1))
    with box(tmp_path, publisher, monkeypatch, registry) as rig:
        first = rig.ended(1)
        assert first["state"] == "success"
        assert first["bytes_fetched"] == first["bytes_total"]
        put_package(registry.url, REPOSITORY, "stable", publisher.package(2))
        second = rig.ended(2)
        assert second["state"] == "success"
        assert 0 < second["bytes_fetched"] < 2000 < second["bytes_total"]


@pytest.mark.parametrize(
    ("what", "reason"),
    [("extra", "extra_file"), ("missing", "missing_file"), ("other", "content"), ("larger", "too_large")],
)
def test_what_does_not_belong_is_refused_before_it_is_fetched(tmp_path, publisher, monkeypatch, registry, what, reason):
    package = publisher.package(1)
    weights = package / "variables" / "variables.data-00000-of-00001"
    if what == "extra":
        (package / "assets.extra" / "more.bin").write_bytes(b"x" * 1000)
    elif what == "missing":
        weights.unlink()
    elif what == "other":
        weights.write_bytes(bytes(weights.stat().st_size))
    else:
        weights.write_bytes(weights.read_bytes() + bytes(100_000))
    put_package(registry.url, REPOSITORY, "stable", package)
    with box(tmp_path, publisher, monkeypatch, registry) as rig:
        ended = rig.ended()
        assert (ended["state"], ended["reason"]) == ("rejected", reason)
        assert PlayedCandidate.started == []
        assert [path for path in (rig.store_folder / "partial").iterdir() if path.is_file()] == []
        assert len(blobs_asked(registry)) <= 2, "the statement, and nothing of the content"


def test_a_registry_with_a_login_says_what_it_wants_and_takes_it(tmp_path, publisher, monkeypatch):
    login = tmp_path / "login.json"
    with Registry(tmp_path / "docker-registry", htpasswd=True) as registry:
        put_package(registry.url, REPOSITORY, "stable", publisher.package(1), login=(USER, PASSWORD))
        login.write_text(json.dumps({"auths": {registry.host: {"username": USER, "password": "wrong"}}}))
        limits = {"credentials_file": str(login)}
        with box(tmp_path, publisher, monkeypatch, registry, limits=limits) as rig:
            until(lambda: rig.delivery.watcher.problem, "the box to say what is wrong", 20)
            assert registry.host in rig.delivery.watcher.problem
            assert "wrong" not in rig.delivery.watcher.problem
        login.write_text(json.dumps({"auths": {registry.host: {"username": USER, "password": PASSWORD}}}))
        with box(tmp_path, publisher, monkeypatch, registry, limits=limits) as rig:
            assert rig.ended(1)["state"] == "success"


def test_a_mirror_that_is_gone_stops_nothing(tmp_path, publisher, monkeypatch, registry):
    put_package(registry.url, REPOSITORY, "stable", publisher.package(1))
    mirrors = [f"oci+http://127.0.0.1:1/{REPOSITORY}:stable"]
    with box(tmp_path, publisher, monkeypatch, registry, mirrors=mirrors) as rig:
        assert rig.ended(1)["state"] == "success"
