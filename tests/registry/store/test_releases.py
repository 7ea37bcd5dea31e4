"""Releases are whole or not there; nothing climbs out of their folders."""

import os

import pytest
from registry.store.packages import content_of, deploy, digest, fetch, listed, on_disk, package

from appliance.registry.errors import Refusal, Rejected, StoreError
from appliance.registry.package.files import PackageFile
from appliance.registry.store.store import Store


def test_a_package_becomes_a_release(store):
    content = package(1)
    files = fetch(store, content)
    staging = store.stage(1, files)
    assert content_of(staging) == content
    assert store.held(1) is None
    folder = store.publish(1, 7, digest(content))
    assert folder == store.folder / "versions" / "1"
    assert content_of(folder) == content
    assert not staging.exists()
    held = store.held(1)
    assert (held.release, held.version, held.digest, held.folder) == (1, 7, digest(content), folder)
    assert held.bytes == sum(map(len, content.values()))
    assert not held.is_factory
    assert [one.release for one in store.releases()] == [0, 1]
    store.check(1)


def test_others_may_read_a_release_and_nobody_writes_it(store):
    mask = os.umask(0o077)
    try:
        deploy(store, 1)
    finally:
        os.umask(mask)
    folder = store.held(1).folder
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "variables").stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o444}


def test_staged_and_published_again_is_the_same(store):
    deploy(store, 1)
    before = on_disk(store.folder)
    files = listed(package(1))
    assert store.stage(1, files) == store.held(1).folder
    assert store.publish(1, 101, digest(package(1))) == store.held(1).folder
    assert on_disk(store.folder) == before


def test_a_release_stands_for_one_content(store):
    deploy(store, 1)
    other = fetch(store, package(2))
    with pytest.raises(StoreError, match=r"release 1 stands for sha256:.*; publish the package under a higher release"):
        store.stage(1, other)
    store.check(1)


def test_a_release_without_its_blobs_is_not_laid_out(store):
    before = on_disk(store.folder)
    with pytest.raises(StoreError, match=r"saved_model\.pb \(.*\) is not in .*; fetch it first"):
        store.stage(1, listed(package(1)))
    assert on_disk(store.folder) == before


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "a/../../out", "a//b", "", ".", "a/.", "a\0b", "x" * 256, "y/" * 600 + "z"]
)
def test_a_name_that_climbs_out_is_refused(store, path):
    [file] = fetch(store, {"saved_model.pb": b"graph"})
    before = on_disk(store.folder)
    with pytest.raises(Rejected, match="is no name for a file of a package") as refused:
        store.stage(1, [file, PackageFile(path, file.size, file.sha256)])
    assert refused.value.reason is Refusal.PATH
    assert on_disk(store.folder) == before


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b")])
def test_two_files_of_one_name_are_refused(store, paths):
    [file] = fetch(store, {"x": b"x"})
    with pytest.raises(Rejected, match="two files of the package have one name"):
        store.stage(1, [PackageFile(path, 1, file.sha256) for path in paths])


def test_publishing_what_was_not_staged_is_a_bug(store):
    files = fetch(store, package(1))
    with pytest.raises(RuntimeError, match="was not staged"):
        store.publish(1, 7, digest(package(1)))
    store.stage(1, files)
    with pytest.raises(RuntimeError, match="was staged as"):
        store.publish(1, 7, digest(package(2)))
    with pytest.raises(RuntimeError, match="is no release"):
        store.stage(0, files)


def test_check_names_what_is_wrong(store):
    deploy(store, 1)
    folder = store.held(1).folder
    (folder / "stranger").write_bytes(b"x")
    with pytest.raises(Rejected, match="stranger belongs to no release") as refused:
        store.check(1)
    assert refused.value.reason is Refusal.EXTRA_FILE
    (folder / "stranger").unlink()
    (folder / "saved_model.pb").unlink()
    with pytest.raises(Rejected, match=r"saved_model\.pb is missing") as refused:
        store.check(1)
    assert refused.value.reason is Refusal.MISSING_FILE
    with pytest.raises(StoreError, match="there is no release 9"):
        store.check(9)


def test_a_release_in_use_is_not_removed(store):
    deploy(store, 1)
    deploy(store, 2)
    store.activate(1)
    store.activate(2)
    for release in (1, 2):
        with pytest.raises(StoreError, match=f"release {release} is in use"):
            store.remove(release)
    store.activate(1)
    store.activate(2)
    deploy(store, 3)
    before = on_disk(store.folder)
    deploy(store, 4)
    store.remove(4)
    assert on_disk(store.folder) == before


def test_one_process_at_a_time(store):
    other = Store(store.folder, 0)
    with pytest.raises(StoreError, match=r"another process has .*; stop the delivery that runs already"):
        other.open()
    with pytest.raises(RuntimeError, match="not open"):
        other.holds("a" * 64)
    store.close()
    other.open()
    other.close()


def test_a_store_that_cannot_be_made_says_where(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot open the store of models: .*file.*: Not a directory; look after"):
        Store(tmp_path / "file" / "store", 0).open()
