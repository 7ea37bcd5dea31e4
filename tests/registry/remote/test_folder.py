"""Plain folders: on a stick, and behind a web server. The same folder, the same answers."""

import hashlib
import io
import json
import os
from urllib.parse import unquote

import pytest
from remote_servers import AGENT, WEIGHTS, Blobs, Link, Scripted, config

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.opening import open_remote
from appliance.registry.remote.protocol import RemoteFile
from appliance.registry.remote.reference import Selection


class Web:
    """A folder of the disk, as a web server with ranges and ETags shows it."""

    def __init__(self, folder):
        self.folder = folder
        self.blobs = Blobs({})

    def __call__(self, request):
        file = self.folder / unquote(request.path).lstrip("/")
        self.blobs.files = {request.path: file.read_bytes()} if file.is_file() else {}
        return self.blobs(request)


@pytest.fixture
def releases(tmp_path, package):
    """A folder with release 12, and what names it."""
    folder = tmp_path / "releases"
    folder.mkdir()
    package.rename(folder / "12")
    (folder / "latest.json").write_text(json.dumps({"release": 12, "path": "12"}))
    return folder


@pytest.fixture(params=["disk", "web"])
def opened(request, tmp_path):
    """Opens a folder, one way or the other."""
    servers, remotes = {}, []

    def open_folder(folder, **more):
        text = f"file://{folder}"
        if request.param == "web":
            if folder not in servers:
                servers[folder] = Scripted(Web(folder)).__enter__()
            text = f"{servers[folder].url}/"
        remotes.append(open_remote(text, config(), user_agent=AGENT, **more))
        return remotes[-1]

    yield open_folder
    for remote in remotes:
        remote.close()
    for server in servers.values():
        server.__exit__()


def identity(file):
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def named(path, size):
    return RemoteFile(path, size, None, path)


def fetched(remote, path, size, here=b""):
    sink = io.BytesIO(here)
    sink.seek(len(here))
    remote.fetch(named(path, size), size, sink, lambda _count: None)
    return sink.getvalue()


def test_folder_that_is_a_package(opened, package):
    remote = opened(package)
    seen = remote.look()
    assert seen.identity == identity(package / "release.json")
    listing = remote.list(seen)
    assert [file.path for file in listing.files] == ["release.json", "model.sig"]
    assert remote.read(listing.files[0], 1000) == (package / "release.json").read_bytes()
    assert remote.read(listing.files[1], 1000) == (package / "model.sig").read_bytes()
    with pytest.raises(Rejected) as refused:
        remote.read(listing.files[1], 3)
    assert refused.value.reason is Refusal.TOO_LARGE
    path = "variables/variables.data-00000-of-00001"
    assert fetched(remote, path, len(WEIGHTS)) == WEIGHTS
    assert fetched(remote, path, len(WEIGHTS), WEIGHTS[:12345]) == WEIGHTS


def test_folder_that_names_a_package(opened, releases):
    remote = opened(releases)
    seen = remote.look()
    assert seen.identity == identity(releases / "12" / "release.json")
    assert seen.reference.endswith("/12/")
    remote.list(seen)
    # the pointer moves: what is being fetched stays what it is
    (releases / "13").mkdir()
    (releases / "13" / "release.json").write_bytes(b"thirteen")
    (releases / "latest.json").write_text('{"release": 13, "path": "13/"}')
    assert remote.look().identity == identity(releases / "13" / "release.json")
    assert fetched(remote, "variables/variables.index", 5) == b"index"
    assert opened(releases).list(seen).seen == seen


def test_selections(opened, releases):
    (releases / "next.json").write_text('{"path": "12"}')
    digest = identity(releases / "12" / "release.json")
    for selection in (Selection(tag="next"), Selection(release=12), Selection(digest=digest)):
        assert opened(releases, select=selection).look().identity == digest
    with pytest.raises(Unavailable, match=r"holds no other\.json"):
        opened(releases, select=Selection(tag="other")).look()
    with pytest.raises(Unavailable, match=r"13/ holds no release\.json"):
        opened(releases, select=Selection(release=13)).look()
    with pytest.raises(Unavailable, match="at present, and not"):
        opened(releases, select=Selection(digest="sha256:" + "00" * 32)).look()


def test_statement_that_changes_between_two_reads_has_moved(opened, package):
    remote = opened(package)
    seen = remote.look()
    listing = remote.list(seen)
    (package / "release.json").write_bytes(b"another statement, which nobody looked at")
    for ask in (lambda: remote.list(seen), lambda: remote.read(listing.files[0], 1000)):
        with pytest.raises(Rejected) as moved:
            ask()
        assert moved.value.reason is Refusal.MOVED


@pytest.mark.parametrize("path", ["../secret", "/etc", "..", "", 5, None, "a/../../b"])
def test_pointer_that_climbs_out_is_refused(opened, releases, path):
    (releases / "latest.json").write_text(json.dumps({"release": 12, "path": path}))
    with pytest.raises(Rejected) as refused:
        opened(releases).look()
    assert refused.value.reason in {Refusal.PATH, Refusal.NOT_A_PACKAGE}


def test_names_that_climb_out_are_refused(opened, package):
    remote = opened(package)
    remote.list(remote.look())
    with pytest.raises(Rejected) as refused:
        fetched(remote, "../registry/registry.yml", 5)
    assert refused.value.reason is Refusal.PATH


@pytest.mark.parametrize(("size", "reason"), [(4, Refusal.TOO_LARGE), (6, Refusal.CONTENT)])
def test_sizes_other_than_signed_are_refused(opened, package, size, reason):
    remote = opened(package)
    remote.list(remote.look())
    with pytest.raises(Rejected) as refused:
        fetched(remote, "variables/variables.index", size)
    assert refused.value.reason is reason


def test_empty_folder_says_what_is_missing(opened, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unavailable, match=r"neither release\.json nor latest\.json; `appliance push`"):
        opened(tmp_path / "empty").look()


def test_links_are_refused_and_the_mount_may_be_one(tmp_path, package):
    (tmp_path / "mount").symlink_to(package)
    remote = open_remote(str(tmp_path / "mount"), config(), user_agent=AGENT)
    remote.list(remote.look())
    assert fetched(remote, "variables/variables.index", 5) == b"index"
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_bytes(b"12345")
    (package / "link").symlink_to(secret / "key")
    (package / "folder").symlink_to(secret)
    os.mkfifo(package / "pipe")
    for path in ("link", "folder/key", "pipe"):
        with pytest.raises(Rejected) as refused:
            fetched(remote, path, 5)
        assert refused.value.reason is Refusal.LINK
    with pytest.raises(Rejected) as refused:
        fetched(remote, "lost", 5)
    assert refused.value.reason is Refusal.MISSING_FILE


def test_stick_that_is_not_there(tmp_path):
    with pytest.raises(Unavailable, match="is it mounted"):
        open_remote(f"file://{tmp_path}/stick", config(), user_agent=AGENT).look()


def test_look_over_the_web_where_nothing_changed_is_small(releases, record_property):
    with Scripted(Web(releases)) as server, Link(server.port) as link:
        remote = open_remote(f"{link.url}/", config(), user_agent=AGENT)
        first = remote.look()
        before = link.sent, link.received
        assert remote.look() == first
        sent, received = link.sent - before[0], link.received - before[1]
        assert [request.method for request in server.requests[-2:]] == ["GET", "GET"]
        assert 0 < sent + received <= 1000
        record_property("look_bytes", f"{sent} out, {received} in")
        print(f"no-change look at latest.json and release.json: {sent} B out, {received} B in")
        remote.close()


def test_stick_is_a_mirror_of_a_web_folder(tmp_path, releases):
    stick = tmp_path / "stick"
    stick.mkdir()
    with Scripted(Web(releases)) as server:
        remote = open_remote(f"{server.url}/", config(), mirrors=(f"file://{stick}",), user_agent=AGENT)
        seen = remote.look()
        remote.list(seen)
        (releases / "12").rename(stick / "12")
        (releases / "latest.json").rename(stick / "latest.json")
        assert remote.look().identity == seen.identity
        remote.list(seen)
        assert fetched(remote, "variables/variables.index", 5) == b"index"
        remote.close()


@pytest.mark.parametrize("modified_s", [0, 3600])
def test_server_without_etags(releases, modified_s):
    """Last-Modified counts only where a second change in the same second cannot hide."""
    from email.utils import formatdate

    def reply(request):
        file = releases / request.path.lstrip("/")
        if not file.is_file():
            return 404, {}, b""
        when = formatdate(1_800_000_000 - modified_s, usegmt=True)
        if request.headers.get("if-modified-since") == when:
            return 304, {}, b""
        now = formatdate(1_800_000_000, usegmt=True)
        body = file.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nDate: {now}\r\nLast-Modified: {when}\r\nContent-Length: {len(body)}\r\n\r\n"
        request.handler.wfile.write(head.encode() + (body if request.method == "GET" else b""))
        return None

    with Scripted(reply) as server:
        remote = open_remote(f"{server.url}/", config(), user_agent=AGENT)
        first = remote.look()
        assert remote.look() == first
        conditional = ["if-modified-since" in request.headers for request in server.requests]
        assert any(conditional) == bool(modified_s)
        remote.close()
