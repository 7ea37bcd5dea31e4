"""Old releases make room; what is needed never does."""

import os

from hypothesis import given
from hypothesis import strategies as st
from registry.store.packages import deploy, fetch, on_disk, package

from appliance.registry.store.collection import STALE_AFTER_S, superfluous

numbers = st.sets(st.integers(0, 30))


@given(numbers, st.integers(0, 10), numbers, st.none() | st.integers(0, 30))
def test_what_goes_is_old_and_not_needed(releases, keep, untouchable, factory):
    going = superfluous(releases, keep, untouchable, factory)
    assert set(going) <= releases - untouchable - {factory}
    staying = releases - set(going) - {factory}
    assert len(staying - untouchable) <= keep
    assert not going or len(staying) >= keep
    assert all(old < new for old in going for new in staying - untouchable)


def releases(store):
    return [held.release for held in store.releases()]


def test_the_oldest_go_and_never_what_is_pointed_at_or_protected(store):
    for release in range(1, 7):
        deploy(store, release)
    store.activate(2)
    store.activate(3)
    collected = store.collect(2, protected={1})
    assert collected.releases == (4,)
    assert releases(store) == [0, 1, 2, 3, 5, 6]
    assert collected.blobs == 2, "its graph and its statement; others have the weights too"
    assert collected.bytes == sum(len(raw) for path, raw in package(4).items() if "variables" not in path)
    assert "releases 4; 2 files" in collected.sentence()
    assert store.collect(0, protected={1}).releases == (5, 6)
    assert store.collect(0).releases == (1,)
    assert releases(store) == [0, 2, 3]
    for release in releases(store):
        store.check(release)
    assert store.collect(0).sentence() == "nothing to remove"


def test_a_download_under_way_is_left_alone(store):
    files = fetch(store, package(1))
    with store.partial("a" * 64, 100) as sink:
        sink.write(b"x")
    assert store.collect(0).blobs == 0
    store.stage(1, files)
    assert (store.folder / "partial" / ("a" * 64)).exists()


def test_a_download_of_an_earlier_run_is_left_alone_where_it_is_named(store):
    files = fetch(store, package(1))
    store.close()
    store.open()
    assert store.collect(0, wanted={file.sha256 for file in files}).blobs == 0
    store.stage(1, files)


def test_what_an_earlier_run_gave_up_goes(store):
    before = on_disk(store.folder)
    fetch(store, package(1))
    old, new = (store.folder / "partial" / (letter * 64) for letter in "ab")
    for path in (old, new):
        with store.partial(path.name, 100_000) as sink:
            sink.write(b"x")
    long_ago = old.stat().st_mtime - STALE_AFTER_S - 1
    os.utime(old, (long_ago, long_ago))
    store.close()
    store.open()
    collected = store.collect(0)
    assert (collected.blobs, collected.partials) == (3, 1)
    assert collected.bytes >= 100_000, "the room that was taken for it, too"
    assert on_disk(store.folder) - before == {f"partial/{new.name}"}
