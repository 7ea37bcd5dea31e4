"""The model that came with the box."""

import pytest
from registry.store.conftest import BALLAST
from registry.store.packages import FACTORY, content_of, deploy, digest, lay, on_disk, package

from appliance.registry.errors import StoreError
from appliance.registry.store.store import Store
from appliance.registry.store.view import StoreView

UPGRADED = FACTORY | {"saved_model.pb": b"a better factory model"}


def releases(store):
    return [held.release for held in store.releases()]


def test_it_serves_until_something_else_does(store, factory_folder):
    factory = store.factory
    assert (factory.release, factory.version, factory.digest, factory.is_factory) == (0, 1, digest(FACTORY), True)
    assert store.current == factory == store.held(0)
    assert content_of(factory.folder) == FACTORY
    before = on_disk(store.folder)
    assert store.adopt_factory(factory_folder, 1, digest(FACTORY)) == factory
    assert on_disk(store.folder) == before


def test_whoever_writes_in_its_folder_later_does_not_reach_the_store(store, factory_folder):
    (factory_folder / "saved_model.pb").write_bytes(b"in place")
    store.check(0)
    assert content_of(store.factory.folder) == FACTORY


def test_an_upgrade_takes_its_place(store, tmp_path):
    other = lay(tmp_path / "base" / "2", UPGRADED)
    adopted = store.adopt_factory(other, 2, digest(UPGRADED))
    assert (adopted.release, adopted.digest) == (0, digest(UPGRADED))
    assert store.current == store.factory == adopted
    assert store.previous is None
    assert releases(store) == [0]
    assert content_of(adopted.folder) == UPGRADED


def test_an_upgrade_leaves_what_serves_alone(store, tmp_path):
    deploy(store, 1)
    store.activate(1)
    store.adopt_factory(lay(tmp_path / "base" / "2", UPGRADED), 2, digest(UPGRADED))
    assert store.current.release == 1
    assert store.previous == store.factory, "the way back leads to the new one"
    assert releases(store) == [0, 1]


def test_a_signed_one_has_its_number(store, tmp_path):
    """And stays, as a release like others, when the next one comes."""
    folder = lay(tmp_path / "base" / "5", package(5))
    assert store.adopt_factory(folder, 5, digest(package(5)), release=5).release == 5
    assert store.current.release == 5
    assert releases(store) == [5]
    store.adopt_factory(lay(tmp_path / "base" / "6", package(6)), 6, digest(package(6)), release=6)
    assert (store.current.release, store.factory.release) == (6, 6)
    assert releases(store) == [5, 6]


def test_a_folder_that_is_not_what_was_said_is_not_adopted(tmp_path, factory_folder):
    fresh = Store(tmp_path / "fresh", BALLAST)
    fresh.open()
    before = on_disk(fresh.folder)
    with pytest.raises(StoreError, match="leave its files alone and start again"):
        fresh.adopt_factory(factory_folder, 1, digest(UPGRADED))
    with pytest.raises(StoreError, match="is no folder; place the model's files there"):
        fresh.adopt_factory(tmp_path / "nowhere", 1, digest(UPGRADED))
    assert on_disk(fresh.folder) == before
    assert fresh.current is None
    assert StoreView(fresh.folder).current() is None
    fresh.close()
