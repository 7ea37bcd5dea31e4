"""A store's whole life in steps that may be cut short and begun again, and what has to be true at any moment."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from registry.store.packages import FACTORY, WEIGHTS, content_of, digest, fetch, lay, listed, package

from appliance.registry.store.store import Recovered, Store
from appliance.registry.store.view import StoreView

BALLAST = 16 << 10
UPGRADED = FACTORY | {"saved_model.pb": b"a better factory"}
REFUSED = {"release.json": b"a statement", "evil": b"x", "variables/variables.data": WEIGHTS}
KNOWN = {digest(content): content for content in (FACTORY, UPGRADED, package(1), package(2))}


def lay_factories(home: Path) -> None:
    lay(home / "base1", FACTORY)
    lay(home / "base2", UPGRADED)


def tell(home: Path) -> Store:
    """The story from where the journal says on; the store stays open, unless the story breaks off."""
    store = Store(home / "store", BALLAST)
    store.open()
    try:
        begun = (store.journal.load("progress") or {"step": 0})["step"]
        for number in range(begun, len(STEPS)):
            store.journal.save("progress", {"step": number})
            STEPS[number](store, home)
    except BaseException:
        store.close()
        raise
    return store


def _deploy(release: int) -> Callable[[Store, Path], None]:
    def step(store: Store, _home: Path) -> None:
        content = package(release)
        store.stage(release, fetch(store, content))
        store.publish(release, release + 100, digest(content))

    return step


def _activate(release: int) -> Callable[[Store, Path], None]:
    def step(store: Store, _home: Path) -> None:
        store.activate(release)

    return step


def _back(store: Store, _home: Path) -> None:
    if store.current.release == 2:
        store.back()
    store.journal.archive({"id": "2", "state": "rolled_back"})
    store.audit.append("delivery", "probation", "back", "surface", release=2)


def _refuse(store: Store, _home: Path) -> None:
    store.put_bytes(REFUSED["release.json"])
    store.stage(3, fetch(store, REFUSED))
    store.discard(3)


STEPS: tuple[Callable[[Store, Path], None], ...] = (
    lambda store, home: store.adopt_factory(home / "base1", 1, digest(FACTORY)),
    _deploy(1),
    lambda store, home: store.adopt_factory(home / "base2", 2, digest(UPGRADED)),
    _activate(1),
    _deploy(2),
    _activate(2),
    _back,
    _refuse,
    lambda store, home: store.collect(0, protected={1}),
)


SERVED = (
    (None, None),
    (digest(FACTORY), None),
    (digest(FACTORY), None),
    (digest(UPGRADED), None),
    (digest(package(1)), digest(UPGRADED)),
    (digest(package(1)), digest(UPGRADED)),
    (digest(package(2)), digest(package(1))),
    *[(digest(package(1)), None)] * 3,
)
"""`current` and `previous` before each step, and after the last."""


def assert_sound(store: Store, recovered: Recovered) -> None:
    """What holds after every recovery, also on a full disk."""
    assert recovered.sentences == (), "nothing was damaged"
    begun = (store.journal.load("progress") or {"step": 0})["step"]
    current = store.current
    assert (current and current.digest, store.previous and store.previous.digest) in SERVED[begun : begun + 2]
    for held in (current, store.previous, store.factory, *store.releases()):
        if held is not None:
            assert content_of(held.folder) == KNOWN[held.digest], "all of it, and nothing else"
    assert StoreView(store.folder).current() == current
    serving = {entry.name: entry.resolve() for entry in (store.folder / "serving").iterdir()}
    assert serving == ({str(current.version): current.folder.resolve()} if current else {})
    left = [path for path in store.folder.rglob("*") if path.suffix in {".new", ".next", ".gone", ".staging"}]
    assert left == []
    for path in (store.folder / "blobs/sha256").iterdir():
        assert path.stat().st_mode & 0o777 == 0o444


def assert_ended(store: Store) -> None:
    """What the story comes to, however often it was cut short."""
    assert (store.current.release, store.current.digest) == (1, digest(package(1)))
    assert store.previous is None
    assert store.factory.digest == digest(UPGRADED)
    assert [held.release for held in store.releases()] == [0, 1]
    assert {one["id"] for one in store.journal.history()} == {"2"}
    needed = {file.sha256 for content in (UPGRADED, package(1)) for file in listed(content)}
    assert {path.name for path in (store.folder / "blobs/sha256").iterdir()} == needed
    assert list((store.folder / "partial").iterdir()) == []


def picture(folder: Path) -> dict[str, str]:
    """All that is in a folder, to compare two."""
    shown = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            shown[str(path)] = f"-> {path.readlink()}"
        elif path.name == "audit.jsonl":
            shown[str(path)] = f"{path.stat().st_size} bytes"  # it tells the time
        elif path.is_file():
            shown[str(path)] = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        else:
            shown[str(path)] = "folder"
    return shown
