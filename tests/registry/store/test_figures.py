"""How long it takes: `-m benchmark`. On the disk that the tests run on, so that fsyncs cost what they cost."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from registry.store.packages import FACTORY, digest, fetch, lay, listed

from appliance.registry.store.store import Store
from appliance.registry.store.view import StoreView

ROUNDS = 30
RENAME_MAX_MS = 1.0
pytestmark = pytest.mark.benchmark


@contextmanager
def timed(into):
    begun = time.perf_counter()
    yield
    into.append((time.perf_counter() - begun) * 1e3)


def show(what, times):
    ordered = sorted(times)
    print(f"{what:<58} median {ordered[len(ordered) // 2]:8.3f} ms   worst {ordered[-1]:8.3f} ms")
    return ordered


def test_figures(tmp_path, monkeypatch, capsys):
    store = Store(tmp_path / "store", 16 << 20)
    opened, held, staged, published, kept, checked = [], [], [], [], [], []
    with timed(opened):
        store.open()
    store.adopt_factory(lay(tmp_path / "base", FACTORY), 1, digest(FACTORY))
    many = {f"variables/{number}": os.urandom(1000) for number in range(100)}
    large = {"saved_model.pb": os.urandom(100_000_000)}
    with timed(kept):
        files = fetch(store, many)
    with timed(staged):
        store.stage(1, files)
    with timed(published):
        store.publish(1, 2, digest(many))
    [file] = listed(large)
    with store.partial(file.sha256, file.size) as sink:
        sink.write(large["saved_model.pb"])
    with timed(held):
        store.keep(file.sha256, file.size)
    store.stage(2, [file])
    store.publish(2, 3, digest(large))
    with timed(checked):
        store.check(2)
    with capsys.disabled():
        print()
        show("open: the first time, with a ballast of 16 MB", opened)
        show("fetch and keep 100 files of 1 kB (200 fsyncs)", kept)
        show("stage 100 files", staged)
        show("publish 100 files", published)
        show("keep 100 MB (hash, fsync)", held)
        show("check 100 MB", checked)
        pointer_figures(store, monkeypatch)
    store.close()


def pointer_figures(store, monkeypatch):
    renames, seen, whole, back, saves, views, real = [], [], [], [], [], [], Path.rename

    def rename(path, target):
        with timed(renames if Path(target).name == "current" else []):
            return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    view = StoreView(store.folder)
    for number in range(ROUNDS):
        begun = time.perf_counter()
        release = 1 + number % 2
        with timed(whole):
            store.activate(release, after_rename=lambda begun=begun: seen.append((time.perf_counter() - begun) * 1e3))
        with timed(views):
            assert view.current().release == release
        with timed(saves):
            store.journal.save("deployment", {"state": "probation", "number": number})
    ways = []
    for _ in range(ROUNDS):
        store.activate(1)
        begun = time.perf_counter()
        with timed(back):
            store.back(after_rename=lambda begun=begun: ways.append((time.perf_counter() - begun) * 1e3))
    ordered = show("the rename of `current` itself", renames)
    show("activate: until the line is nudged (one fsync before)", seen)
    show("activate: all of it (three fsyncs)", whole)
    show("back: until the line is nudged (no fsync before)", ways)
    show("back: all of it (two fsyncs)", back)
    show("the line's view of current", views)
    show("a save of the journal (two fsyncs)", saves)
    assert ordered[len(ordered) // 2] <= RENAME_MAX_MS
