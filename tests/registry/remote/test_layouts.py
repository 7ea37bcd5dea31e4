"""Manifests of other tools, read by what their layers say of themselves."""

import gzip
import io
import os
import tarfile
from contextlib import closing

import pytest
from registry_server import MANIFEST, put_blob, put_package
from remote_servers import AGENT, GRAPH, config

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.remote.archive import decompress, list_members
from appliance.registry.remote.layouts import read_layers
from appliance.registry.remote.opening import open_remote

REPO = "models/surface"
DIGEST = "sha256:" + "ab" * 32


def tar_of(folder, prefix):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(folder, prefix)
    return out.getvalue()


def layer(registry, data, media_type, **annotations):
    return put_blob(registry.url, REPO, data) | {"mediaType": media_type, "annotations": annotations}


def push(registry, package, layers, **more):
    config_blob = put_blob(registry.url, REPO, b"{}") | {
        "mediaType": more.pop("config", "application/vnd.unknown+json")
    }
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob, "layers": layers, **more}
    put_package(registry.url, REPO, "line3", package, manifest=manifest)


def read_all(registry, tmp_path, **settings):
    text = f"oci+http://{registry.host}/{REPO}:line3"
    with closing(open_remote(text, config(**settings), user_agent=AGENT, temporary=tmp_path)) as remote:
        found = {}
        for file in remote.list(remote.look()).files:
            sink = io.BytesIO()
            came = []
            remote.fetch(file, file.size, sink, came.append)
            assert sum(came) == file.size
            found[file.path] = sink.getvalue()
        return found


def as_folder(package):
    return {str(file.relative_to(package)): file.read_bytes() for file in package.rglob("*") if file.is_file()}


def test_oras_files(registry, package, tmp_path):
    layers = [
        layer(registry, data, "application/vnd.oci.image.layer.v1.tar", **{"org.opencontainers.image.title": name})
        for name, data in as_folder(package).items()
    ]
    push(registry, package, layers, config="application/vnd.oci.empty.v1+json")
    assert read_all(registry, tmp_path) == as_folder(package)


def test_oras_folder(registry, package, tmp_path):
    packed = gzip.compress(tar_of(package, "surface"))
    annotations = {"org.opencontainers.image.title": "surface", "io.deis.oras.content.unpack": "true"}
    push(registry, package, [layer(registry, packed, "application/vnd.oci.image.layer.v1.tar+gzip", **annotations)])
    assert read_all(registry, tmp_path) == as_folder(package)


def test_modelkit_with_documents_beside_the_model(registry, package, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text("a card")
    layers = [
        layer(registry, tar_of(package, "model/surface"), "application/vnd.kitops.modelkit.model.v1.tar"),
        layer(registry, gzip.compress(tar_of(docs, "docs")), "application/vnd.kitops.modelkit.docs.v1.tar+gzip"),
    ]
    push(registry, package, layers, config="application/vnd.kitops.modelkit.config.v1+json")
    assert read_all(registry, tmp_path) == as_folder(package)


def test_modelpack_tar_beside_raw(registry, package, tmp_path):
    (package / "variables" / "variables.index").unlink()
    path = "org.cncf.model.filepath"
    layers = [
        layer(registry, data, "application/vnd.cncf.model.weight.v1.raw", **{path: name})
        for name, data in as_folder(package).items()
        if not name.startswith("variables/")
    ]
    variables = tar_of(package / "variables", "variables")
    layers.append(layer(registry, variables, "application/vnd.cncf.model.weight.v1.tar", **{path: "variables"}))
    push(registry, package, layers)
    assert read_all(registry, tmp_path) == as_folder(package)
    assert not any(file.is_file() for file in tmp_path.glob("tmp*"))  # nothing of it stays


def test_member_is_fetched_from_where_an_earlier_download_ended(registry, package, tmp_path):
    push(registry, package, [layer(registry, tar_of(package, "p"), "application/vnd.kitops.modelkit.model.v1.tar")])
    remote = open_remote(f"oci+http://{registry.host}/{REPO}:line3", config(), user_agent=AGENT)
    graph = next(file for file in remote.list(remote.look()).files if file.path == "saved_model.pb")
    sink = io.BytesIO(GRAPH[:7])
    sink.seek(7)
    remote.fetch(graph, graph.size, sink, lambda _count: None)
    assert sink.getvalue() == GRAPH
    remote.close()


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (None, "no list of 1 to"),
        ([], "no list of 1 to"),
        ([5], "without a sha256 digest"),
        ([{"digest": "md5:12", "size": 1}], "without a sha256 digest"),
        ([{"digest": DIGEST, "size": -1}], "without a size"),
        ([{"digest": DIGEST, "size": 1, "mediaType": "application/json"}], "no file name"),
        ([{"digest": DIGEST, "size": 1, "mediaType": "application/vnd.cncf.model.weight.v1.tar+zstd"}], "zstd"),
        ([{"digest": DIGEST, "size": 1, "annotations": {"org.cncf.model.filepath": 7}}], "no file name"),
    ],
)
def test_what_is_no_package(layers, said):
    with pytest.raises(Rejected, match=said) as refused:
        read_layers({"layers": layers})
    assert refused.value.reason is Refusal.NOT_A_PACKAGE


def test_name_that_climbs_out_or_comes_twice_is_refused(registry, package, tmp_path):
    blob = put_blob(registry.url, REPO, b"x") | {"mediaType": "application/vnd.cncf.model.weight.v1.raw"}
    for names in (["../x"], ["/etc/x"], ["a", "a"], ["a//b"]):
        push(registry, package, [blob | {"annotations": {"org.cncf.model.filepath": name}} for name in names])
        with pytest.raises(Rejected) as refused:
            read_all(registry, tmp_path)
        assert refused.value.reason is Refusal.PATH


def archive_of(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.size = len(data)
            info.linkname = "../../etc/passwd"
            archive.addfile(info, io.BytesIO(data))
    return out


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_and_devices_are_refused(kind):
    with pytest.raises(Rejected) as refused:
        list_members(archive_of(("saved_model.pb", tarfile.REGTYPE, b"x"), ("link", kind, b"")), 1000)
    assert refused.value.reason in {Refusal.LINK, Refusal.NOT_A_PACKAGE}


def test_archives_larger_than_allowed_are_refused():
    many = archive_of(("a", tarfile.REGTYPE, b"x" * 600), ("b", tarfile.REGTYPE, b"x" * 600))
    assert [member.size for member in list_members(many, 1200)] == [600, 600]
    with pytest.raises(Rejected) as refused:
        list_members(many, 1199)
    assert refused.value.reason is Refusal.TOO_LARGE
    bomb = io.BytesIO(gzip.compress(b"\0" * 50_000_000))
    plain = io.BytesIO()
    with pytest.raises(Rejected) as refused:
        decompress(bomb, plain, 1_000_000)
    assert refused.value.reason is Refusal.TOO_LARGE
    assert len(plain.getvalue()) <= 1_000_000


class Sparing(io.BytesIO):
    """A file that minds who asks for much of it at once."""

    def read(self, count=-1):
        assert 0 <= count <= 1 << 20
        return super().read(count)


def test_header_of_gigabytes_is_not_read():
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    info.size = 5 << 30
    with pytest.raises(Rejected) as refused:
        list_members(Sparing(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10_240), 1 << 40)
    assert refused.value.reason is Refusal.NOT_A_PACKAGE


def test_broken_archives_are_refused_and_nothing_else_is_raised():
    good = archive_of(("a" * 200, tarfile.REGTYPE, b"x" * 600), ("b", tarfile.REGTYPE, b"y" * 6000)).getvalue()
    noise = iter(os.urandom(4000))
    for _ in range(600):
        broken = bytearray(good)
        for _ in range(3):
            at = (next(noise) << 8 | next(noise)) % 3000
            broken[at] = at & 0xFF
        try:
            list_members(io.BytesIO(bytes(broken)), 1 << 20)
        except Rejected:
            continue  # fine: the one thing that may be raised
    for cut in range(1, 512, 37):
        with pytest.raises(Rejected, match="no tar that can be read"):
            list_members(io.BytesIO(good[:cut]), 1 << 20)
    with pytest.raises(Rejected, match=r"in the middle of a file|no tar"):
        list_members(io.BytesIO(good[:-9000]), 1 << 20)
    for packed in (b"", b"no gzip", gzip.compress(good)[:-9]):
        with pytest.raises(Rejected, match="gzip"):
            decompress(io.BytesIO(packed), io.BytesIO(), 1 << 20)


def test_corrupt_archive_is_refused_before_it_is_opened(registry, package, tmp_path):
    data = tar_of(package, "p")
    push(registry, package, [layer(registry, data, "application/vnd.kitops.modelkit.model.v1.tar")])
    for blob in registry.data.glob("docker/registry/v2/blobs/sha256/*/*/data"):
        if blob.stat().st_size == len(data):
            blob.write_bytes(b"\xff" + data[1:])
    with pytest.raises(Rejected, match="other bytes") as refused:
        read_all(registry, tmp_path)
    assert refused.value.reason is Refusal.CONTENT


def test_package_limit_holds_for_what_an_archive_unpacks_to(registry, package, tmp_path):
    (package / "zeros").write_bytes(b"\0" * 3_000_000)
    packed = gzip.compress(tar_of(package, "p"))
    annotations = {"io.deis.oras.content.unpack": "true"}
    push(registry, package, [layer(registry, packed, "application/vnd.oci.image.layer.v1.tar+gzip", **annotations)])
    assert len(packed) < 1_000_000
    with pytest.raises(Rejected) as refused:
        read_all(registry, tmp_path, package_max_mb=1)
    assert refused.value.reason is Refusal.TOO_LARGE
