"""Bytes are fetched in pieces, checked, and here once."""

import hashlib

import pytest
from registry.store.conftest import BALLAST
from registry.store.packages import WEIGHTS, deploy, fetch, listed, on_disk, package

from appliance.registry.errors import Refusal, Rejected, StoreError
from appliance.registry.store.errors import Damaged
from appliance.registry.store.store import Store

RAW = b"some weights " * 1000
NAME = hashlib.sha256(RAW).hexdigest()


def write(store, raw, size=13_000, name=NAME):
    with store.partial(name, size) as sink:
        sink.write(raw)


def test_a_download_goes_on_where_it_was_cut_also_in_another_process(store):
    write(store, RAW[:5000])
    store.close()
    store.open()
    with store.partial(NAME, len(RAW)) as sink:
        assert sink.tell() == 5000
        sink.write(RAW[5000:])
    assert not store.holds(NAME)
    store.keep(NAME, len(RAW))
    assert store.holds(NAME)
    kept = store.folder / "blobs" / "sha256" / NAME
    assert kept.read_bytes() == RAW
    assert kept.stat().st_mode & 0o777 == 0o444
    assert list((store.folder / "partial").iterdir()) == []
    store.keep(NAME, len(RAW))


def test_other_bytes_are_refused_and_gone(store):
    write(store, RAW[:-1] + b"?")
    before = on_disk(store.folder)
    with pytest.raises(Rejected, match=NAME) as refused:
        store.keep(NAME, len(RAW))
    assert refused.value.reason is Refusal.CONTENT
    assert before - on_disk(store.folder) == {f"partial/{NAME}"}
    assert not store.holds(NAME)


def test_bytes_of_an_earlier_run_may_be_a_power_cuts_and_are_no_ones_fault(tmp_path, store):
    """Else a good release would be refused for ever because this box lost its power."""
    write(store, RAW[:4990] + b"\0" * 10)
    store.close()
    later = Store(store.folder, BALLAST)
    later.open()
    write(later, RAW[5000:])
    with pytest.raises(Damaged, match="fetch it again"):
        later.keep(NAME, len(RAW))
    write(later, RAW[:-1] + b"?")
    with pytest.raises(Rejected):
        later.keep(NAME, len(RAW))
    later.close()


def test_a_partial_that_is_not_whole_stays(store):
    write(store, RAW[:10])
    with pytest.raises(StoreError, match=f"has 10 of {len(RAW)} bytes; fetch the rest"):
        store.keep(NAME, len(RAW))
    with store.partial(NAME, len(RAW)) as sink:
        assert sink.tell() == 10


def test_a_partial_longer_than_what_is_signed_begins_anew(store):
    write(store, RAW)
    with store.partial(NAME, 100) as sink:
        assert sink.tell() == 0


def test_an_empty_file_is_a_file(store):
    name = hashlib.sha256(b"").hexdigest()
    write(store, b"", 0, name)
    store.keep(name, 0)
    assert store.holds(name)


def test_small_files_are_put_at_once(store):
    assert store.put_bytes(RAW) == NAME
    assert store.put_bytes(RAW) == NAME
    assert store.holds(NAME)
    store.drop(NAME)
    assert not store.holds(NAME)


def test_what_a_release_has_is_not_dropped(store):
    deploy(store, 1)
    shared = hashlib.sha256(WEIGHTS).hexdigest()
    store.drop(shared)
    assert store.holds(shared)


def test_a_rotten_blob_is_fetched_again_instead_of_spoiling_the_next_release(store):
    deploy(store, 1)
    shared = hashlib.sha256(WEIGHTS).hexdigest()
    rot(store.folder / "blobs" / "sha256" / shared)
    store.close()
    later = Store(store.folder, BALLAST)
    later.open()
    assert not later.holds(shared)
    deploy(later, 2)
    later.check(2)
    with pytest.raises(Rejected, match=r"variables/variables\.data is not what it was"):
        later.check(1)
    later.close()


def rot(path):
    path.chmod(0o644)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    path.chmod(0o444)


def test_weights_that_two_releases_share_are_on_the_disk_once(store):
    for release in (1, 2):
        deploy(store, release)
    files = [store.held(release).folder / "variables/variables.data" for release in (1, 2)]
    assert files[0].samefile(files[1])
    assert files[0].samefile(store.folder / "blobs" / "sha256" / hashlib.sha256(WEIGHTS).hexdigest())


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "a" * 63, ""])
def test_what_is_no_digest_is_a_bug(store, name):
    for call in (store.holds, lambda name: store.partial(name, 1), store.drop):
        with pytest.raises(RuntimeError, match="is no SHA-256"):
            call(name)


def test_what_was_refused_leaves_nothing(store):
    deploy(store, 1)
    before = on_disk(store.folder)
    content = package(2) | {"evil": b"evil"}
    files = fetch(store, content)
    write(store, RAW[:100])
    store.stage(2, files)
    store.discard(2)
    assert on_disk(store.folder) == before
    write(store, RAW[:100])
    store.discard(None)
    assert on_disk(store.folder) == before


def test_a_refused_package_with_a_number_that_is_here_takes_nothing_from_the_one_that_has_it(store):
    deploy(store, 1)
    store.discard(1)
    store.check(1)
    assert listed(package(1)) != []
