"""The line reads while delivery writes."""

import threading

import pytest
from registry.store.packages import content_of, deploy, digest, package

from appliance.registry.store.store import Store
from appliance.registry.store.view import StoreView


def test_where_there_is_no_store_there_is_nothing(tmp_path):
    view = StoreView(tmp_path / "nowhere")
    assert (view.current(), view.previous(), view.factory(), view.held(0), view.held(7)) == (None,) * 5
    assert list(tmp_path.iterdir()) == []


def test_the_line_needs_no_delivery_process(store):
    deploy(store, 1)
    store.activate(1)
    store.close()
    view = StoreView(store.folder)
    assert view.current() == view.held(1)
    assert view.current().version == 101
    assert view.previous() == view.factory() == view.held(0)
    assert view.held(0).is_factory


def test_current_is_always_a_whole_release_while_they_come_and_go(store):
    """Each of 40 is published, activated and collected while another thread reads as fast as it can."""
    view, seen, stop, wrong = StoreView(store.folder), [], threading.Event(), []
    known = {digest(package(release)): package(release) for release in range(1, 41)}

    def read():
        while not stop.wait(0.001):
            held = view.current()
            if held is None or held.digest not in known:
                wrong.append(held)
            else:
                seen.append(held.release)
            view.held(held.release - 2 if held and held.release > 2 else 0)

    deploy(store, 1)
    store.activate(1)
    reader = threading.Thread(target=read)
    reader.start()
    for release in range(2, 41):
        deploy(store, release)
        store.activate(release)
        store.collect(0)
    stop.set()
    reader.join(30)
    assert wrong == []
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert content_of(view.current().folder) == package(40)


def test_a_release_that_goes_while_it_is_looked_up_was_not_the_current_one_any_more(store, monkeypatch):
    for release in (1, 2, 3):
        deploy(store, release)
    store.activate(1)
    real = StoreView.named

    def go_on(view, name):
        monkeypatch.undo()
        store.activate(2)
        store.activate(3)
        store.remove(1)
        return real(view, name)

    monkeypatch.setattr(StoreView, "named", go_on)
    assert StoreView(store.folder).current().release == 3


def test_reading_does_not_ask_for_the_lock(store):
    with pytest.raises(Exception, match="another process has"):
        Store(store.folder, 0).open()
    assert StoreView(store.folder).current() == store.current
