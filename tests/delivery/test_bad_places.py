"""Places that mean ill, or links that fail, seen from a box: each ends with its reason, or is waited for."""

import shutil
from pathlib import Path

import pytest
from delivery.publisher import Publisher
from delivery.rig import PlayedCandidate, Rig
from registry.remote.remote_servers import Blobs, Link, Scripted
from running import DEMO_MODEL, until

WEIGHTS = "/1/variables/variables.data-00000-of-00001"


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def place(publisher):
    """A web server on what is published; `files` may be changed, and each answer overtaken by `instead`."""
    publisher.publish(publisher.package(1))
    root = publisher.registry
    served = Blobs({f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()})
    instead = {}

    def reply(request):
        return instead[request.path](request) if request.path in instead else served(request)

    with Scripted(reply) as server:
        server.files, server.instead, server.served = served.files, instead, served
        yield server


def box(tmp_path, publisher, monkeypatch, place, **more) -> Rig:
    """With a factory model that has no file in common with what is published."""
    factory = tmp_path / "factory"
    if not factory.exists():
        shutil.copytree(DEMO_MODEL, factory)
        for file in factory.rglob("*"):
            if file.is_file():
                file.write_bytes(file.read_bytes() + b" ")
    port = more.pop("port", place.port)
    return Rig(tmp_path, publisher, monkeypatch, factory=factory, source=f"http://127.0.0.1:{port}/", **more)


def is_clean(rig: Rig) -> bool:
    """Nothing was loaded, and nothing is left."""
    left = [path for path in (rig.store_folder / "partial").iterdir() if path.is_file()]
    return PlayedCandidate.started == [] and set(rig.line.loaded) <= {0} and left == []


def test_a_blob_without_an_end(tmp_path, publisher, monkeypatch, place):
    def endless(request):
        return 200, {}, place.files[WEIGHTS] + bytes(1_000_000)

    place.instead[WEIGHTS] = endless
    with box(tmp_path, publisher, monkeypatch, place) as rig:
        ended = rig.ended()
        assert (ended["state"], ended["reason"]) == ("rejected", "too_large")
        assert is_clean(rig)


def test_a_blob_that_drips(tmp_path, publisher, monkeypatch, place):
    def drip(request):
        out = request.handler.wfile
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(place.files[WEIGHTS]))
        for byte in place.files[WEIGHTS]:
            out.write(bytes([byte]))
            out.flush()
            if place.ending.wait(0.05):
                break

    place.instead[WEIGHTS] = drip
    with box(tmp_path, publisher, monkeypatch, place, limits={"download_max_s": 1.0}) as rig:
        ended = rig.ended()
        assert (ended["state"], ended["reason"]) == ("rejected", "too_slow")
        assert is_clean(rig)


def test_a_redirect_to_another_host(tmp_path, publisher, monkeypatch, place):
    place.instead[WEIGHTS] = lambda request: (302, {"Location": f"http://localhost:{place.port}{WEIGHTS}"}, b"")
    with box(tmp_path, publisher, monkeypatch, place) as rig:
        ended = rig.ended()
        assert (ended["state"], ended["reason"]) == ("rejected", "redirect")
        assert "localhost" in ended["detail"]
        assert is_clean(rig)


def test_a_release_that_is_another_at_each_look(tmp_path, publisher, monkeypatch, place):
    other = publisher.package(2)
    statements = [place.files["/1/release.json"], (other / "release.json").read_bytes()]
    asked = []

    def turns(request):
        asked.append(request.method)
        content = statements[len(asked) % 2]
        return 200, {}, content

    place.instead["/1/release.json"] = turns
    with box(tmp_path, publisher, monkeypatch, place) as rig:
        ended = rig.ended()
        assert ended["state"] in {"rejected", "superseded"}, ended
        moved = until(
            lambda: (
                next((one for one in rig.delivery.records.history() if one["reason"] == "moved"), None)
                or (rig.delivery.courier.live and rig.delivery.courier.live.waiting_for == "network")
            ),
            "the box to say that the place is not what it was",
            20,
        )
        assert moved
        assert is_clean(rig)


def test_a_link_that_is_cut_again_and_again_brings_every_byte_once(tmp_path, publisher, monkeypatch, place):
    with (
        Link(place.port, cut_every=40_000) as link,
        box(tmp_path, publisher, monkeypatch, place, port=link.port) as rig,
    ):
        ended = rig.ended(1, 60)
        assert ended["state"] == "success", ended
        assert ended["bytes_fetched"] == ended["bytes_total"]
        assert rig.line.served[-1] == 1


def test_a_registry_that_comes_back_brings_its_release(tmp_path, publisher, monkeypatch, place):
    away = [True]
    for path in list(place.files):
        place.instead[path] = lambda request: (503, {"Retry-After": "1"}, b"") if away else place.served(request)
    with box(tmp_path, publisher, monkeypatch, place) as rig:
        until(lambda: rig.delivery.watcher.problem, "the box to say that the registry is away", 20)
        assert "503" in rig.delivery.watcher.problem
        assert rig.delivery.store.current.release == 0
        away.clear()
        assert rig.ended(1)["state"] == "success"


def test_bytes_that_were_flipped_on_the_way_are_fetched_again_or_refused(tmp_path, publisher, monkeypatch, place):
    raw = bytearray(place.files[WEIGHTS])
    raw[1000] ^= 4
    place.files[WEIGHTS] = bytes(raw)
    with box(tmp_path, publisher, monkeypatch, place) as rig:
        ended = rig.ended()
        assert (ended["state"], ended["reason"]) == ("rejected", "content")
        assert Path(WEIGHTS).name in ended["detail"]
        assert is_clean(rig)
