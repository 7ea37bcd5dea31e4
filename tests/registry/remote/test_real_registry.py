"""Debian's docker-registry, as it is: open, with passwords, over a bad link, and as a pull-through cache."""

import base64
import hashlib
import io
import json
import subprocess
from contextlib import closing

import pytest
from registry_server import MANIFEST, PASSWORD, USER, Registry, put_blob, put_package
from remote_servers import AGENT, GRAPH, WEIGHTS, Link, config
from running import until

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.opening import open_remote
from appliance.registry.remote.reference import Selection

REPO = "models/surface"


def source(host: str, tag: str = "line3") -> str:
    return f"oci+http://{host}/{REPO}:{tag}"


def opened(text, **more):
    settings = more.pop("settings", None) or config()
    return open_remote(text, settings, user_agent=AGENT, **more)


def fetched(remote, file, sink=None):
    sink = sink or io.BytesIO()
    came = []
    remote.fetch(file, file.size, sink, came.append)
    return sink.getvalue(), sum(came)


def whole(remote):
    """Path -> bytes of all that is listed."""
    listing = remote.list(remote.look())
    return {file.path: fetched(remote, file)[0] for file in listing.files}


def as_folder(package):
    return {str(file.relative_to(package)): file.read_bytes() for file in package.rglob("*") if file.is_file()}


def test_package_is_read_back_as_it_was_put(registry, package):
    digest = put_package(registry.url, REPO, "line3", package)
    remote = opened(source(registry.host))
    seen = remote.look()
    assert seen.identity == digest
    assert seen.reference == f"oci+http://{registry.host}/{REPO}:line3@{digest}"
    assert whole(remote) == as_folder(package)
    small = next(file for file in remote.list(seen).files if file.path == "release.json")
    assert remote.read(small, 1000) == (package / "release.json").read_bytes()
    with pytest.raises(Rejected) as refused:
        remote.read(small, 10)
    assert refused.value.reason is Refusal.TOO_LARGE
    remote.close()


def test_look_where_nothing_changed_costs_less_than_a_kilobyte(registry, package, record_property):
    put_package(registry.url, REPO, "line3", package)
    with Link(registry.port) as link:
        remote = opened(source(f"127.0.0.1:{link.port}"))
        first = remote.look()
        sent, received = link.sent, link.received
        assert remote.look() == first
        sent, received = link.sent - sent, link.received - received
        assert 0 < sent + received <= 1000
        record_property("look_bytes", f"{sent} out, {received} in")
        print(f"no-change look: {sent} B out, {received} B in")
        remote.close()
    heads = [line for line in registry.requests() if line.startswith("HEAD /v2/models/surface/manifests")]
    assert heads[-1].endswith("304")


def test_new_package_under_the_tag_is_seen(registry, package):
    put_package(registry.url, REPO, "line3", package)
    remote = opened(source(registry.host))
    first = remote.look()
    (package / "saved_model.pb").write_bytes(b"another")
    second = put_package(registry.url, REPO, "line3", package)
    assert remote.look().identity == second
    # the tag moved between look and list: what was seen is what is read
    old = {file.path: file for file in remote.list(first).files}
    assert fetched(remote, old["saved_model.pb"])[0] == GRAPH
    remote.close()


def test_what_was_seen_and_deleted_has_moved(registry, package):
    put_package(registry.url, REPO, "line3", package)
    remote = opened(source(registry.host))
    seen = remote.look()
    subprocess.run(["curl", "-sf", "-XDELETE", f"{registry.url}/v2/{REPO}/manifests/{seen.identity}"], check=True)
    with pytest.raises(Rejected, match="not there any more") as moved:
        remote.list(seen)
    assert moved.value.reason is Refusal.MOVED
    with pytest.raises(Unavailable, match="nothing of that name"):
        remote.look()
    remote.close()


def test_commands_select_tag_digest_and_release(registry, package):
    digest = put_package(registry.url, REPO, "release-12", package)
    for selection in (Selection(tag="release-12"), Selection(digest=digest), Selection(release=12)):
        remote = opened(source(registry.host), select=selection)
        assert remote.look().identity == digest
        remote.close()


def test_link_that_is_cut_fetches_no_byte_twice(registry, package):
    put_package(registry.url, REPO, "line3", package)
    with Link(registry.port, cut_every=400_000) as link:
        remote = opened(source(f"127.0.0.1:{link.port}"))
        listing = remote.list(remote.look())
        weights = next(file for file in listing.files if file.path.startswith("variables/variables.data"))
        before = link.received
        content, came = fetched(remote, weights)
        assert content == WEIGHTS
        assert came == len(WEIGHTS)
        assert link.cuts >= 7
        overhead = link.received - before - len(WEIGHTS)
        assert overhead < (link.cuts + 1) * 800  # headers, and no byte twice
        remote.close()


def test_download_goes_on_where_an_earlier_one_ended(registry, package):
    put_package(registry.url, REPO, "line3", package)
    remote = opened(source(registry.host))
    weights = next(file for file in remote.list(remote.look()).files if file.size == len(WEIGHTS))
    sink = io.BytesIO(WEIGHTS[:1_000_000])
    sink.seek(0, io.SEEK_END)
    content, came = fetched(remote, weights, sink)
    assert content == WEIGHTS
    assert came == len(WEIGHTS) - 1_000_000
    remote.close()


def test_login_is_sent_where_it_is_asked_for(tmp_path, package):
    with Registry(tmp_path / "locked", htpasswd=True) as registry:
        put_package(registry.url, REPO, "line3", package, login=(USER, PASSWORD))
        logins = tmp_path / "config.json"
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        logins.write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
        remote = opened(source(registry.host), settings=config(credentials_file=logins))
        assert whole(remote) == as_folder(package)
        refused = [line for line in registry.requests() if line.endswith(" 401")]
        assert len(refused) == 1  # asked for once, then remembered
        remote.close()

        nobody = opened(source(registry.host))
        with pytest.raises(Unavailable, match=r"asks for a login, and delivery\.credentials_file has none"):
            nobody.look()
        nobody.close()
        logins.write_text(json.dumps({"auths": {registry.host: {"username": USER, "password": "wrong-battery"}}}))
        wrong = opened(source(registry.host), settings=config(credentials_file=logins))
        with pytest.raises(Unavailable, match=r"login of 'box'.*is refused") as error:
            wrong.look()
        assert "wrong-battery" not in str(error.value)
        wrong.close()


def test_pull_through_cache_serves_with_its_upstream_down(tmp_path, registry, package):
    put_package(registry.url, REPO, "line3", package)
    with Registry(tmp_path / "cache", upstream=registry.url) as cache:
        first = opened(source(cache.host))
        listing = first.list(first.look())
        assert whole(first) == as_folder(package)  # a cold cache answers 200 to ranges
        first.close()
        blobs = cache.data / "docker/registry/v2/blobs/sha256"
        kept = [blobs / file.sha256[:2] / file.sha256 / "data" for file in listing.files]
        until(lambda: all(blob.exists() for blob in kept), "the cache to have written what it passed on", 10)
        registry.stop()
        later = opened(source(cache.host))
        assert whole(later) == as_folder(package)
        later.close()


def test_mirror_that_is_down_or_empty_or_corrupt_does_not_stop_a_download(tmp_path, registry, package):
    put_package(registry.url, REPO, "line3", package)
    with Registry(tmp_path / "empty") as empty, Registry(tmp_path / "copy") as copy:
        put_package(copy.url, REPO, "line3", package)
        for blob in copy.data.glob("docker/registry/v2/blobs/sha256/*/*/data"):
            content = blob.read_bytes()
            if content == WEIGHTS:
                blob.write_bytes(b"\xff" + content[1:])
        remote = opened(source(registry.host), mirrors=(source("127.0.0.1:1"), source(empty.host), source(copy.host)))
        assert whole(remote) == as_folder(package)
        remote.close()
        # what comes from a healthy mirror is not asked of the source
        put_package(empty.url, REPO, "line3", package)
        healthy = opened(source(registry.host), mirrors=(source(empty.host),))
        asked = len(registry.requests())
        assert whole(healthy) == as_folder(package)
        assert len(registry.requests()) == asked
        healthy.close()


def test_flipped_bit_on_the_way_is_refused(registry, package):
    put_package(registry.url, REPO, "line3", package)
    remote = opened(source(registry.host))
    seen = remote.look()
    statement = next(file for file in remote.list(seen).files if file.path == "release.json")
    remote.close()
    for flip, ask, said in (
        (b"saved_model.pb", lambda remote: remote.list(seen), "gives another manifest"),
        (b"payloadType", lambda remote: remote.read(statement, 1000), "with other bytes"),
    ):
        with Link(registry.port, flip=flip) as link, closing(opened(source(f"127.0.0.1:{link.port}"))) as remote:
            with pytest.raises(Rejected, match=said) as refused:
                ask(remote)
            assert refused.value.reason is Refusal.CONTENT


def test_index_of_one_manifest(registry, package):
    digest = put_package(registry.url, REPO, "line3", package)
    raw = subprocess.run(
        ["curl", "-sf", "-H", f"Accept: {MANIFEST}", f"{registry.url}/v2/{REPO}/manifests/{digest}"],
        check=True,
        capture_output=True,
    ).stdout
    assert digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    entry = {
        "mediaType": MANIFEST,
        "digest": digest,
        "size": len(raw),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    kind = "application/vnd.oci.image.index.v1+json"
    index = {"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}
    indexed = put_package(registry.url, REPO, "indexed", package, manifest=index)
    remote = opened(source(registry.host, "indexed"))
    assert remote.look().identity == indexed
    assert whole(remote) == as_folder(package)
    remote.close()


def test_skopeo_carries_it_to_a_folder_and_back(tmp_path, registry, package):
    digest = put_package(registry.url, REPO, "line3", package)
    air = tmp_path / "air"
    insecure = tmp_path / "policy.json"
    insecure.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    skopeo = ["skopeo", "--policy", str(insecure), "copy", "-q", "--preserve-digests"]
    there = f"docker://{registry.host}/{REPO}:line3"
    subprocess.run([*skopeo, "--src-tls-verify=false", there, f"oci:{air}:line3"], check=True, timeout=60)
    with Registry(tmp_path / "far") as far:
        back = f"docker://{far.host}/{REPO}:line3"
        subprocess.run([*skopeo, "--dest-tls-verify=false", f"oci:{air}:line3", back], check=True, timeout=60)
        remote = opened(source(far.host))
        assert remote.look().identity == digest
        assert whole(remote) == as_folder(package)
        remote.close()


def test_registry_that_is_gone_says_so(registry, package):
    put_package(registry.url, REPO, "line3", package)
    remote = opened(source(registry.host))
    seen = remote.look()
    registry.stop()
    with pytest.raises(Unavailable, match="refuses connections"):
        remote.list(seen)
    registry.start()
    assert remote.list(seen).seen == seen  # the same remote, on a new connection
    remote.close()


def test_more_than_the_box_takes_is_refused_before_anything_comes(registry, package):
    large = put_blob(registry.url, REPO, b"x" * 10)
    large |= {"size": 5_000_000_000, "annotations": {"org.cncf.model.filepath": "saved_model.pb"}}
    blank = put_blob(registry.url, REPO, b"{}")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": blank, "layers": [large]}
    put_package(registry.url, REPO, "large", package, manifest=manifest)
    remote = opened(source(registry.host, "large"))
    with pytest.raises(Rejected, match=r"delivery\.package_max_mb") as refused:
        remote.list(remote.look())
    assert refused.value.reason is Refusal.TOO_LARGE
    remote.close()
