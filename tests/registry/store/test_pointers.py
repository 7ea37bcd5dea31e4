"""One rename changes what serves; the way back is another."""

import os

import pytest
from registry.store.packages import deploy

from appliance.registry.errors import StoreError
from appliance.registry.store.view import StoreView


@pytest.fixture
def three(store):
    for release in (1, 2, 3):
        deploy(store, release)
    return store


def pointers(store):
    return tuple(held and held.release for held in (store.current, store.previous, store.factory))


def serving(store):
    return {entry.name: str(entry.readlink()) for entry in (store.folder / "serving").iterdir()}


def test_current_moves_and_previous_with_it(three):
    assert pointers(three) == (0, None, 0)
    three.activate(1)
    assert pointers(three) == (1, 0, 0)
    three.activate(2)
    assert pointers(three) == (2, 1, 0)
    three.activate(2)
    assert pointers(three) == (2, 1, 0), "again is nothing"
    assert str((three.folder / "current").readlink()) == "versions/2"


def test_outside_model_servers_see_exactly_what_serves(three):
    assert list(serving(three)) == ["1"]
    three.activate(2)
    assert serving(three) == {"102": "../versions/2"}
    assert (three.folder / "serving" / "102" / "saved_model.pb").is_file()
    three.back()
    assert list(serving(three)) == ["1"]


def test_the_way_back(three):
    three.activate(1)
    three.activate(2)
    assert three.back().release == 1
    assert pointers(three) == (1, None, 0)
    with pytest.raises(StoreError, match="there is no release before the current one"):
        three.back()
    assert pointers(three) == (1, None, 0)


@pytest.mark.parametrize("act", ["activate", "back"])
def test_the_line_is_nudged_when_current_has_changed_and_before_anything_is_waited_for(three, monkeypatch, act):
    three.activate(1)
    three.activate(2)
    heard, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (heard.append("fsync"), real(descriptor)))

    def nudge():
        heard.append(StoreView(three.folder).current().release)

    if act == "activate":
        three.activate(3, after_rename=nudge)
        assert heard[:2] == ["fsync", 3]
    else:
        three.back(after_rename=nudge)
        assert heard[0] == 1
    assert "fsync" in heard[1:]


@pytest.mark.parametrize("act", ["activate", "back"])
def test_a_nudge_that_fails_does_not_stop_halfway(three, act):
    three.activate(1)
    three.activate(2)

    def fail():
        raise RuntimeError("no line")

    with pytest.raises(RuntimeError, match="no line"):
        three.activate(3, after_rename=fail) if act == "activate" else three.back(after_rename=fail)
    assert pointers(three) == ((3, 2, 0) if act == "activate" else (1, None, 0))


def test_what_is_not_here_whole_is_not_activated(three):
    with pytest.raises(StoreError, match="there is no release 9"):
        three.activate(9)
    (three.held(3).folder / "saved_model.pb").unlink()
    with pytest.raises(StoreError, match=r"release 3 is not whole \(saved_model\.pb is missing\); deploy it again"):
        three.activate(3)
    assert pointers(three) == (0, None, 0)
