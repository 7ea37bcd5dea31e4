"""`appliance push`: into a real registry and a plain folder, and what comes out of them again."""

import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from publishing.conftest import package_arguments
from registry_server import PASSWORD, USER, Registry

from appliance.publishing.pushing import Place, next_release
from appliance.registry.config import DeliveryConfig
from appliance.registry.package.files import PackageFile
from appliance.registry.package.inventory import hash_files, list_folder, verify_folder
from appliance.registry.package.keys import read_public_key
from appliance.registry.package.statement import read_statement
from appliance.registry.remote import push_upload
from appliance.registry.remote.http import HttpClient
from appliance.registry.remote.opening import open_remote
from appliance.registry.remote.protocol import RemoteFile


def oci(registry, repository, tag="stable"):
    return f"oci+http://{registry.host}/{repository}:{tag}"


def manifest_of(registry, repository, tag):
    request = urllib.request.Request(
        f"{registry.url}/v2/{repository}/manifests/{tag}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read()), answer.headers["Docker-Content-Digest"]


def pulled(source, into, keys):
    """As a box does it: every byte over the pull client, verified."""
    remote = open_remote(str(source), DeliveryConfig(), user_agent="test")
    try:
        listing = remote.list(remote.look())
        names = {file.path: file for file in listing.files}
        statement, _ = read_statement(remote.read(names["release.json"], 1 << 20), keys)
        for name in ("release.json", "model.sig"):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_bytes(remote.read(names[name], 1 << 20))
        for file in statement.files:
            (into / file.path).parent.mkdir(parents=True, exist_ok=True)
            listed = names.get(file.path) or RemoteFile(file.path, file.size, file.sha256, file.path)
            with (into / file.path).open("wb") as sink:
                remote.fetch(listed, file.size, sink, lambda _: None)
    finally:
        remote.close()
    return verify_folder(into, statement, keys).statement


def sent_blobs(registry, repository):
    return [one for one in registry.requests() if one.startswith("PUT") and f"/{repository}/blobs/uploads" in one]


def test_what_was_pushed_comes_back_byte_for_byte(signed, keys, registry, appliance, tmp_path):
    said = appliance(
        "push", signed, oci(registry, "a/surface"), "--key", keys / "plant.pub", "--tag", "line3", "--json"
    )
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["names"] == ["release-3", "stable", "line3"]
    assert told["bytes_there"] == 0
    manifest, digest = manifest_of(registry, "a/surface", "stable")
    assert told["manifest"] == digest
    assert told["reference"] == f"oci+http://{registry.host}/a/surface@{digest}"
    for tag in ("line3", "release-3"):
        assert manifest_of(registry, "a/surface", tag)[1] == digest
    trusted = [read_public_key(keys / "plant.pub")]
    statement = pulled(told["source"], tmp_path / "box", trusted)
    assert statement.release == 3
    assert hash_files(tmp_path / "box", list_folder(tmp_path / "box")) == hash_files(signed, list_folder(signed))
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"


def test_every_layer_is_a_file_with_the_names_of_modelpack_and_oras(signed, registry, appliance):
    assert appliance("push", signed, oci(registry, "b/surface")).code == 0
    manifest, _ = manifest_of(registry, "b/surface", "stable")
    found = {}
    for layer in manifest["layers"]:
        said = layer["annotations"]
        assert said["org.cncf.model.filepath"] == said["org.opencontainers.image.title"]
        assert layer["mediaType"].startswith("application/vnd.cncf.model.")
        assert layer["mediaType"].endswith(".v1.raw")
        with urllib.request.urlopen(f"{registry.url}/v2/b/surface/blobs/{layer['digest']}", timeout=10) as answer:
            found[said["org.opencontainers.image.title"]] = hashlib.sha256(answer.read()).hexdigest()
    assert found == {one.path: one.sha256 for one in hash_files(signed, list_folder(signed))}


def test_a_second_push_sends_nothing_and_a_re_export_only_what_changed(
    desk, made_package, keys, registry, appliance, tmp_path
):
    where = oci(registry, "c/surface")
    signed = shutil.copytree(made_package, tmp_path / "first")
    assert appliance("sign", signed, "--key", keys / "plant.key", "--release", 3).code == 0
    first = json.loads(appliance("push", signed, where, "--json").out)
    before = len(sent_blobs(registry, "c/surface"))
    again = json.loads(appliance("push", signed, where, "--json").out)
    assert again["manifest"] == first["manifest"], "the same package is the same manifest"
    assert again["bytes_sent"] < 5_000, "the manifest alone"
    assert len(sent_blobs(registry, "c/surface")) == before
    exported = tmp_path / "again"
    assert appliance(*package_arguments(desk, exported)).code == 0
    said = appliance("sign", exported, "--key", keys / "plant.key", "--release", "next", "--registry", where)
    assert said.code == 0, said.err
    assert "release 4" in said.out
    other = json.loads(appliance("push", exported, where, "--json").out)
    same = {one.sha256 for one in files(signed)} & {one.sha256 for one in files(exported)}
    changed = [one for one in files(exported) if one.sha256 not in same]
    assert "variables/variables.data-00000-of-00001" not in {one.path for one in changed}, "the weights are the same"
    assert other["bytes_there"] == sum(one.size for one in files(exported) if one.sha256 in same)
    assert other["bytes_sent"] < other["bytes_there"] / 3
    assert len(sent_blobs(registry, "c/surface")) <= before + len(changed) + 1


def files(folder) -> tuple[PackageFile, ...]:
    return hash_files(folder, list_folder(folder))


def test_a_plain_image_for_registries_that_refuse_other_types(signed, keys, registry, appliance, tmp_path):
    said = appliance("push", signed, oci(registry, "d/surface"), "--plain-image", "--json")
    assert said.code == 0, said.err
    manifest, _ = manifest_of(registry, "d/surface", "stable")
    assert "artifactType" not in manifest
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar"}
    trusted = [read_public_key(keys / "plant.pub")]
    assert pulled(json.loads(said.out)["source"], tmp_path / "box", trusted).release == 3
    inspected = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{registry.host}/d/surface:stable"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert len(json.loads(inspected.stdout)["Layers"]) == len(manifest["layers"])


@pytest.mark.parametrize("image", [[], ["--plain-image"]])
def test_skopeo_carries_it_to_a_site_without_a_network(signed, keys, registry, appliance, tmp_path, image):
    repository = f"e/{'image' if image else 'pack'}"
    assert appliance("push", signed, oci(registry, repository), *image).code == 0
    here, there = f"docker://{registry.host}/{repository}:stable", f"oci:{tmp_path / 'stick'}:stable"
    site = f"docker://{registry.host}/{repository}-site:stable"
    for source, target in ((here, there), (there, site)):
        insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        insecure += ["--preserve-digests"] if image else []  # of an image it would pack the layers anew
        subprocess.run(["skopeo", "copy", *insecure, source, target], check=True, capture_output=True, timeout=60)
    assert manifest_of(registry, f"{repository}-site", "stable") == manifest_of(registry, repository, "stable")
    trusted = [read_public_key(keys / "plant.pub")]
    pulled(oci(registry, f"{repository}-site"), tmp_path / "box", trusted)


def test_a_login_is_needed_and_wrong_ones_are_told(signed, appliance, tmp_path):
    registry = Registry(tmp_path / "registry", htpasswd=True).start()
    try:
        where = oci(registry, "surface")
        said = appliance("push", signed, where)
        assert said.code == 1
        assert registry.host in said.sentence
        assert "401" in said.sentence
        login = tmp_path / "config.json"
        login.write_text(json.dumps({"auths": {registry.host: {"username": USER, "password": "wrong"}}}))
        said = appliance("push", signed, where, "--credentials", login)
        assert said.code == 1
        assert "401" in said.sentence
        assert "wrong" not in said.err.replace("is wrong", "")
        login.write_text(json.dumps({"auths": {registry.host: {"username": USER, "password": PASSWORD}}}))
        said = appliance("push", signed, where, "--credentials", login)
        assert said.code == 0, said.err
        assert "source = " in said.out
        registry.stop()
        said = appliance("push", signed, where, "--credentials", login)
        assert said.code == 1
        assert registry.host in said.sentence
        assert len(said.sentence) < 300
    finally:
        registry.stop()


def test_the_login_of_docker_is_used_where_none_is_named(signed, appliance, tmp_path, monkeypatch):
    registry = Registry(tmp_path / "registry", htpasswd=True).start()
    try:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        login = {"auths": {registry.host: {"username": USER, "password": PASSWORD}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        assert appliance("push", signed, oci(registry, "surface")).code == 0
    finally:
        registry.stop()


def test_what_is_not_signed_or_changed_since_is_not_sent(package, signed, keys, registry, appliance, tmp_path):
    where = oci(registry, "f/surface")
    (signed / "assets.extra/README.md").write_text("another card")
    said = appliance("push", signed, where)
    assert said.code == 1
    assert "changed after it was signed (assets.extra/README.md); sign it again" in said.sentence
    (signed / "model.sig").unlink()
    assert "is not signed, and no box would take it" in appliance("push", signed, where).sentence
    assert "is no folder" in appliance("push", tmp_path / "none", where).sentence
    assert not [one for one in registry.requests() if "/f/surface/" in one], "nobody was asked"


def test_a_key_that_did_not_sign_keeps_it_here(signed, keys, registry, appliance):
    said = appliance("push", signed, oci(registry, "g/surface"), "--key", keys / "other.pub")
    assert said.code == 1
    assert not [one for one in registry.requests() if "/g/surface/" in one]


def test_a_release_stands_for_one_package_for_ever(signed, keys, registry, appliance, tmp_path):
    where, folder = oci(registry, "h/surface"), tmp_path / "share"
    assert appliance("push", signed, where).code == 0
    assert appliance("push", signed, folder).code == 0
    (signed / "assets.extra/README.md").write_text("# Another")
    assert appliance("sign", signed, "--key", keys / "plant.key", "--release", 3).code == 0
    for place in (where, folder):
        said = appliance("push", signed, place)
        assert said.code == 1
        assert "--release next" in said.sentence
    assert appliance("sign", signed, "--key", keys / "plant.key", "--release", "next", "--registry", where).code == 0
    assert appliance("push", signed, where).code == 0
    assert next_release(Place(where)) == 5
    assert next_release(Place(oci(registry, "h/surface", "another-tag"))) == 5, "by the tags of the releases"
    assert next_release(Place(str(folder))) == 4
    assert next_release(Place(oci(registry, "h/nothing"))) == 1


def test_a_folder_is_filled_beside_and_then_named(signed, keys, appliance, tmp_path):
    share = tmp_path / "share"
    said = appliance("push", signed, share, "--tag", "line3")
    assert said.code == 0, said.err
    assert f'source = "file://{share}/"' in said.out
    for name in ("latest", "line3"):
        assert json.loads((share / f"{name}.json").read_text()) == {"release": 3, "path": "3"}
    trusted = [read_public_key(keys / "plant.pub")]
    assert pulled(share.as_uri() + "/", tmp_path / "box", trusted).release == 3
    assert sorted(each.name for each in share.iterdir()) == ["3", "latest.json", "line3.json"]
    again = json.loads(appliance("push", signed, share, "--json").out)
    assert again["bytes_sent"] == 0
    (tmp_path / "file").write_text("")
    said = appliance("push", signed, tmp_path / "file")
    assert said.code == 1
    assert "Not a directory" in said.sentence


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_leaves_what_was_named_before(signed, appliance, small_disk):
    said = appliance("push", signed, small_disk)
    assert said.code == 1
    assert "has no room: the package needs" in said.sentence
    assert list(small_disk.iterdir()) == []


def test_a_registry_whose_disk_is_full_says_so(signed, appliance, small_disk):
    registry = Registry(small_disk / "registry").start()
    try:
        said = appliance("push", signed, oci(registry, "surface"))
        assert said.code == 1
        assert registry.host in said.sentence
        assert "no space" in said.sentence.lower() or "disk" in said.sentence
    finally:
        registry.stop()


def test_places_that_are_none_are_told_what_to_write(signed, appliance):
    for where, remedy in (
        ("registry.local/models/surface", "write oci://"),
        ("oci://host", "write oci://host/repository:tag"),
        ("https://host/folder/", "can be read and not written to"),
        ("oci://host/a@sha256:" + "1" * 64, "name a tag"),
        ("oci://user:secret@host/a:b", "login"),
    ):
        said = appliance("push", signed, where)
        assert (said.code, remedy in said.sentence) == (1, True), said.err
        assert "secret" not in said.err
    said = appliance("push", signed, "oci://host/a:b", "--tag", "not a tag")
    assert "is no tag" in said.sentence


def test_large_files_go_in_chunks_and_go_on_after_a_cut(signed, keys, registry, appliance, tmp_path, monkeypatch):
    monkeypatch.setattr(push_upload, "CHUNK_BYTES", 32_768)
    cuts = []
    whole = push_upload.Slice.read

    def cut(self, size=-1):
        """Once, in the middle of the third chunk, the link is gone."""
        found = whole(self, size)
        if self._start >= 65_536 and not cuts and self._position > 16_000:
            cuts.append(self._start)
            raise ConnectionResetError("cut by the test")
        return found

    monkeypatch.setattr(push_upload.Slice, "read", cut)
    said = appliance("push", signed, oci(registry, "i/surface"), "--json")
    assert said.code == 0, said.err
    assert cuts
    trusted = [read_public_key(keys / "plant.pub")]
    pulled(json.loads(said.out)["source"], tmp_path / "box", trusted)
    assert [one for one in registry.requests() if one.startswith("PATCH /v2/i/surface/")]


class Chunks:
    """A registry's uploads of one blob; the `nth` chunk is cut in its middle."""

    def __init__(self, *, cut_nth: int = 0, takes_chunks: bool = True) -> None:
        self.got = b""
        self.log: list[str] = []
        chunks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                chunks.got = b""
                self.answer(202)

            def do_PATCH(self):
                if not takes_chunks:
                    self.rfile.read(int(self.headers["Content-Length"]))
                    self.answer(405)
                    return
                start, _, end = self.headers["Content-Range"].partition("-")
                chunks.log.append(self.headers["Content-Range"])
                assert int(start) == len(chunks.got)
                if len(chunks.log) == cut_nth:
                    chunks.got += self.rfile.read(40)
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                chunks.got += self.rfile.read(int(end) + 1 - int(start))
                self.answer(202)

            def do_GET(self):
                self.answer(204, {"Range": f"0-{len(chunks.got) - 1}"})

            def do_PUT(self):
                chunks.got += self.rfile.read(int(self.headers["Content-Length"]))
                chunks.log.append("whole")
                right = self.path.endswith(f"digest=sha256:{hashlib.sha256(chunks.got).hexdigest()}")
                self.answer(201 if right else 400)

            def answer(self, status, headers=None):
                self.send_response(status)
                for name, value in {"Location": "/upload?state=1", "Content-Length": "0", **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v2/surface"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize(
    ("behaves", "log"),
    [
        ({}, ["0-99", "100-199", "200-249", "whole"]),
        ({"cut_nth": 2}, ["0-99", "100-199", "140-239", "240-249", "whole"]),
        ({"takes_chunks": False}, ["whole"]),
    ],
)
def test_a_cut_costs_what_was_under_way_and_no_byte_more(behaves, log, monkeypatch):
    monkeypatch.setattr(push_upload, "CHUNK_BYTES", 100)
    content = bytes(range(250))
    told: list[int] = []
    server = Chunks(**behaves)
    client = HttpClient(DeliveryConfig(), user_agent="test")
    try:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        push_upload.Uploader(client, server.url, "x").send(digest, io.BytesIO(content), 250, told.append)
    finally:
        client.close()
        server.stop()
    assert server.got == content
    assert server.log == log
    assert sum(told) == 250


def test_a_slice_may_be_read_again_and_tells_its_bytes_once():
    told = []
    part = push_upload.Slice(io.BytesIO(b"0123456789"), 2, 5, told.append)
    assert part.read(3) == b"234"
    part.seek(0)
    assert part.read() == b"23456"
    assert part.read() == b""
    assert sum(told) == 5


def test_a_bar_on_a_terminal_and_lines_elsewhere(signed, tmp_path):
    """The real program on a pseudo terminal."""
    import pty

    command = [sys.executable, "-m", "appliance.cli", "push", str(signed), str(tmp_path / "share")]
    plain = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert plain.stderr.splitlines()[0] == "Verifying"
    assert plain.stderr.splitlines()[1].startswith(f"Pushing to {tmp_path}/share (")
    shutil.rmtree(tmp_path / "share")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL)
        os.close(theirs)
        shown = b""
        try:
            while more := terminal.read(65536):
                shown += more
        except OSError:
            pass  # so a terminal ends
        assert process.wait(60) == 0
    assert b"\r\x1b[K" in shown
    assert b"100%" in shown or b" kB  " in shown


def test_the_registry_is_asked_before_a_blob_is_sent(signed, registry, appliance):
    assert appliance("push", signed, oci(registry, "j/surface")).code == 0
    asked = [one.split()[0] for one in registry.requests() if "/j/surface/blobs" in one]
    assert asked[0] == "HEAD"
    with closing(http.client.HTTPConnection(registry.host, timeout=10)) as connection:
        connection.request("GET", "/v2/j/surface/tags/list")
        assert sorted(json.loads(connection.getresponse().read())["tags"]) == ["release-3", "stable"]
    connection.close()
