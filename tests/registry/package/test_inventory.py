"""Attacks on a package that lies on the disk: each is refused, with its own reason."""

import json
import os
import shutil
import socket
from dataclasses import replace

import pytest
from running import DEMO_MODEL

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package import folder as reading
from appliance.registry.package.dsse import STATEMENT_TYPE, sign_envelope
from appliance.registry.package.files import PackageFile, content_digest
from appliance.registry.package.inventory import hash_files, list_folder, verify_folder
from appliance.registry.package.signing import sign_folder, sign_statement
from appliance.registry.package.statement import parse_statement, write_statement
from appliance.registry.package.strict_json import write_json
from appliance.runtimes.digest import digest_of

FILES = sorted(
    file.relative_to(DEMO_MODEL / "1").as_posix() for file in (DEMO_MODEL / "1").rglob("*") if file.is_file()
)


def test_a_package_as_it_was_signed(package, publisher, stranger):
    folder, statement = package
    verified = verify_folder(folder, statement, [stranger.public, publisher.public])
    assert verified.statement_key is verified.signature_key is publisher.public
    assert verified.signature_covers_statement
    assert statement.digest == digest_of(folder), "the runtimes give what they load the same name"


def test_empty_folders_are_no_content(package, publisher):
    (package[0] / "assets" / "deeper").mkdir(parents=True)
    verify_folder(*package, [publisher.public])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_flipped_bit(package, refused, name, where):
    file = package[0] / name
    content = bytearray(file.read_bytes())
    content[0 if where == "first" else -1] ^= 1
    file.write_bytes(content)
    said = refused(*package)
    assert said.reason is Refusal.CONTENT
    assert name in str(said)


@pytest.mark.parametrize("name", ["release.json", "model.sig"])
def test_a_flipped_bit_in_a_signature(package, refused, name):
    file = package[0] / name
    content = file.read_bytes()
    for at in range(0, len(content), 61):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert refused(*package).reason in {Refusal.SIGNATURE, Refusal.STATEMENT, Refusal.CONTENT}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(package, refused, name):
    (package[0] / name).unlink()
    said = refused(*package)
    assert said.reason is Refusal.MISSING_FILE
    assert name in str(said)


@pytest.mark.parametrize("name", ["release.json", "model.sig"])
def test_a_missing_signature(package, refused, name):
    (package[0] / name).unlink()
    said = refused(*package)
    assert said.reason is Refusal.SIGNATURE
    assert f"has no {name}" in str(said)


@pytest.mark.parametrize(
    "name", ["extra", ".git/config", ".gitignore", "assets/tf.so", "variables/release.json", "a/b/c"]
)
def test_an_extra_file(package, refused, name):
    file = package[0] / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    said = refused(*package)
    assert said.reason is Refusal.EXTRA_FILE
    assert name in str(said)


@pytest.mark.parametrize("name", ["saved_model.pb", "release.json", "model.sig", "assets.extra/inspection.json"])
def test_a_link_in_a_file_s_place(package, refused, name, tmp_path):
    outside = tmp_path / "outside"
    (package[0] / name).rename(outside)
    (package[0] / name).symlink_to(outside)
    assert refused(*package).reason is Refusal.LINK


def test_a_link_in_a_folder_s_place(package, refused, tmp_path):
    (package[0] / "variables").rename(tmp_path / "outside")
    (package[0] / "variables").symlink_to(tmp_path / "outside")
    assert refused(*package).reason is Refusal.LINK


def _pipe(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _dangling(path):
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [_pipe, _socket, _dangling])
@pytest.mark.parametrize("place", ["odd", "fingerprint.pb"])
def test_what_is_no_plain_file(package, refused, make, place):
    file = package[0] / place
    file.unlink(missing_ok=True)
    make(file)
    assert refused(*package).reason is Refusal.LINK


@pytest.mark.parametrize("name", [b"a\\b", b"a\nb", b"\xff\xfe", b"a:b", b"con ", "\u202eabc".encode()])
def test_names_that_cannot_be_stored_elsewhere(package, refused, name):
    (package[0] / os.fsdecode(name)).write_bytes(b"")
    assert refused(*package).reason is Refusal.PATH


def test_names_that_are_one_elsewhere(package, refused):
    (package[0] / "SAVED_MODEL.PB").write_bytes(b"")
    assert refused(*package).reason is Refusal.PATH


def test_a_statement_that_lists_a_path_outside(package, publisher):
    """Signed with the right key, and all the same not one byte is looked at out there."""
    statement = package[1]
    files = (*statement.files, PackageFile("../../etc/passwd", 5, "00" * 32))
    climbing = replace(statement, files=files, digest=content_digest(files))
    with pytest.raises(Rejected) as caught:
        sign_statement(climbing, publisher.key)
    assert caught.value.reason is Refusal.PATH


def test_a_stranger_s_key(package, stranger, refused):
    assert refused(*package, keys=[stranger.public]).reason is Refusal.SIGNATURE


@pytest.mark.parametrize("name", ["release.json", "model.sig"])
def test_one_of_both_signed_by_a_stranger(package, publisher, stranger, refused, name):
    folder, statement = package
    if name == "release.json":
        (folder / name).write_bytes(sign_statement(statement, stranger.key))
        (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    else:
        (folder / name).write_bytes(sign_folder(folder, stranger.key))
    said = refused(folder, statement)
    assert said.reason is Refusal.SIGNATURE
    assert f"No trusted key signed {name}" in str(said)


def test_each_may_be_signed_by_another_trusted_key(package, publisher, stranger):
    folder, statement = package
    (folder / "model.sig").write_bytes(sign_folder(folder, stranger.key))
    verified = verify_folder(folder, statement, [publisher.public, stranger.public])
    assert (verified.statement_key, verified.signature_key) == (publisher.public, stranger.public)


def test_the_statement_of_one_and_the_weights_of_another(package, publisher, refused, tmp_path):
    folder, _ = package
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    weights = other / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[::-1])
    statement = publisher.sign(other, version=8, release=13)
    weights.write_bytes((folder / "variables" / weights.name).read_bytes())
    assert refused(other, statement).reason is Refusal.CONTENT


def test_weights_exchanged_between_statement_and_signature(package, publisher, refused):
    """model.sig fits what lies there, and the statement, of the same sizes, does not."""
    folder, statement = package
    weights = folder / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[::-1])
    (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    said = refused(folder, statement)
    assert said.reason is Refusal.CONTENT
    assert weights.name in str(said)


def test_an_extra_file_that_only_model_sig_knows(package, publisher, refused):
    folder, statement = package
    (folder / "assets.extra" / "late.txt").write_text("came after the statement")
    (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    assert refused(folder, statement).reason is Refusal.EXTRA_FILE


def test_the_signature_of_one_and_the_statement_of_another(package, publisher, refused, tmp_path):
    """Both are the publisher's, and each is right by itself."""
    folder, statement = package
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "assets.extra" / "README.md").write_text("more")
    publisher.sign(other, version=8, release=13)
    (folder / "model.sig").write_bytes((other / "model.sig").read_bytes())
    assert refused(folder, statement).reason is Refusal.MISSING_FILE


def test_a_statement_that_changed_on_the_way(package, publisher, refused):
    """The one in the folder is not the one that was checked before anything was fetched."""
    folder, _ = package
    said = refused(folder, publisher.state(folder, release=99))
    assert said.reason is Refusal.CONTENT
    assert "is that of release 12 of surface, and not of release 99" in str(said)


def test_a_statement_re_encoded_beside_its_signature(package, refused):
    """The envelope's own spelling is not what DSSE signs; model.sig covers it."""
    file = package[0] / "release.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()), indent=1))
    said = refused(*package)
    assert said.reason is Refusal.CONTENT
    assert "release.json" in str(said)


def test_a_statement_that_is_not_canonical(package, publisher, refused):
    folder, statement = package
    payload = json.dumps(json.loads(write_statement(statement))).encode()
    (folder / "release.json").write_bytes(write_json(sign_envelope(STATEMENT_TYPE, payload, [publisher.key])))
    (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    assert refused(folder, statement).reason is Refusal.STATEMENT


def test_another_input_than_stated(folder, publisher, refused):
    statement = publisher.state(folder)
    lying = parse_statement(write_statement(replace(statement, input={**statement.input, "width": 651})))
    (folder / "release.json").write_bytes(sign_statement(lying, publisher.key))
    (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    assert refused(folder, lying).reason is Refusal.INPUT_SPEC


def test_a_number_is_not_a_flag(folder, publisher, refused):
    """1, 1.0 and true are equal in Python, and not the same to the box."""
    page = folder / "assets.extra" / "inspection.json"
    said = json.loads(page.read_bytes())
    page.write_text(json.dumps({**said, "input": {**said["input"], "scale": 1}}))
    statement = publisher.state(folder)
    lying = replace(statement, input={**statement.input, "scale": True})
    (folder / "release.json").write_bytes(sign_statement(lying, publisher.key))
    (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    assert refused(folder, lying).reason is Refusal.INPUT_SPEC


@pytest.mark.parametrize("content", [None, b"{}", b"[]", b"no", b'{"input": 3}', b'{"input": {}, "input": {}}'])
def test_no_inspection_page(folder, publisher, content):
    page = folder / "assets.extra" / "inspection.json"
    page.unlink() if content is None else page.write_bytes(content)
    with pytest.raises(Rejected, match=r"assets\.extra/inspection\.json") as caught:
        publisher.sign(folder)
    assert caught.value.reason is Refusal.INPUT_SPEC


def test_a_forbidden_op_though_signed(folder, publisher, refused, graph_in):
    def reads(graph):
        graph.graph_def.node.add(name="steal", op="ReadFile")

    graph_in(reads, folder)
    said = refused(folder, publisher.sign(folder))
    assert said.reason is Refusal.FORBIDDEN_OP
    assert "'ReadFile' (node 'steal')" in str(said)


@pytest.mark.parametrize("name", ["release.json", "model.sig"])
def test_an_endless_signature(package, refused, name):
    with (package[0] / name).open("r+b") as opened:
        opened.truncate(1 << 30)
    assert refused(*package).reason is Refusal.TOO_LARGE


def test_no_saved_model(folder, publisher, refused):
    (folder / "saved_model.pb").unlink()
    assert refused(folder, publisher.sign(folder)).reason is Refusal.NOT_A_PACKAGE


def test_no_folder(package, refused, tmp_path):
    assert refused(tmp_path / "missing", package[1]).reason is Refusal.NOT_A_PACKAGE
    assert refused(package[0] / "saved_model.pb", package[1]).reason is Refusal.NOT_A_PACKAGE


def test_too_many_files(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(reading, "FILES_MAX", 2)
    with pytest.raises(Rejected, match="has 5 files; a package has 2 at most") as caught:
        list_folder(tmp_path)
    assert caught.value.reason is Refusal.NOT_A_PACKAGE
    monkeypatch.setattr(reading, "_ENTRIES_MAX", 3)
    with pytest.raises(Rejected, match="more than 3"):
        list_folder(tmp_path)


def test_folders_without_end(tmp_path):
    deep = tmp_path.joinpath(*"abcdefghijklmnopqrst")
    deep.mkdir(parents=True)
    with pytest.raises(Rejected) as caught:
        list_folder(tmp_path)
    assert caught.value.reason is Refusal.PATH


def test_a_file_that_grows_or_shrinks_meanwhile(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    for size in (4, 6):
        with pytest.raises(Rejected) as caught:
            hash_files(tmp_path, {"a": size})
        assert caught.value.reason is Refusal.CONTENT
    assert hash_files(tmp_path, {"a": 5})[0].size == 5


def test_a_link_that_came_after_the_look(tmp_path):
    (tmp_path / "outside").write_bytes(b"12345")
    (tmp_path / "a").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "pipe")
    for read in (
        lambda: hash_files(tmp_path, {"a": 5}),
        lambda: reading.read_small(tmp_path, "a", 10),
        lambda: hash_files(tmp_path, {"pipe": 5}),
    ):
        with pytest.raises(Rejected) as caught:
            read()
        assert caught.value.reason is Refusal.LINK


def test_large_files_are_hashed_side_by_side(tmp_path, monkeypatch):
    import hashlib

    contents = {f"f{i}": os.urandom(300_000 + i) for i in range(6)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(reading, "_PARALLEL_FROM_BYTES", 1)
    monkeypatch.setattr(reading, "_CHUNK_BYTES", 4096)
    found = hash_files(tmp_path, {name: len(content) for name, content in contents.items()})
    assert [(file.path, file.sha256) for file in found] == [
        (name, hashlib.sha256(content).hexdigest()) for name, content in sorted(contents.items())
    ]


@pytest.mark.benchmark
def test_verifying_100_mb(folder, publisher, capsys):
    import time

    for number in range(2):
        (folder / "variables" / f"more{number}").write_bytes(os.urandom(50 << 20))
    statement = publisher.sign(folder)
    times = []
    for _ in range(7):
        began = time.perf_counter()
        verify_folder(folder, statement, [publisher.public])
        times.append(time.perf_counter() - began)
    with capsys.disabled():
        print(f"\nverify {statement.size / 1e6:.0f} MB: best {min(times):.3f} s, worst {max(times):.3f} s")
