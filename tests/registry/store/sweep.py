"""The sweeps themselves, in a lean process: `python -m registry.store.sweep MODE FOLDER`. Forks are cheap there."""

import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.store.dying import NOBODY, live
from registry.store.story import BALLAST, assert_ended, assert_sound, lay_factories, picture, tell

from appliance.registry.store.store import Store

SEEN = "seen.json"


def home_in(place: Path) -> Path:
    """A fresh one."""
    home = place / "home"
    if home.exists():
        shutil.rmtree(home)
    home.mkdir()
    lay_factories(home)
    return home


def recover(home: Path) -> None:
    Store(home / "store", BALLAST).open()


def look(home: Path) -> None:
    """Recover, undisturbed."""
    store = Store(home / "store", BALLAST)
    assert_sound(store, store.open())
    store.close()


def look_twice(home: Path) -> None:
    """What is recovered stays as it is."""
    store = Store(home / "store", BALLAST)
    assert_sound(store, store.open())
    shown = picture(store.folder)
    store.close()
    assert_sound(store, store.open())
    store.close()
    assert picture(store.folder) == shown, "recovered once is recovered"
    (home / SEEN).write_text(json.dumps(shown))


def finish(home: Path) -> None:
    store = tell(home)
    assert_ended(store)
    store.close()


@contextmanager
def told(when: str) -> Iterator[None]:
    """A failure says when."""
    try:
        yield
    except BaseException:
        sys.stderr.write(f"{when}:\n")
        raise


def every_change(place: Path, changes: int) -> None:
    """Killed at each; one kill more while it recovers, elsewhere each time."""
    for last in range(1, changes + 1):
        home = home_in(place)
        live(lambda home=home: tell(home), last)
        live(lambda home=home: recover(home), 1 + last % 13)
        with told(f"killed at change {last}"):
            look(home)
            finish(home)


def every_change_twice(place: Path, changes: int) -> None:
    """Killed at each, and at each of the recovery's: it ends as if that had not been killed."""
    for last in range(1, changes + 1):
        home = home_in(place)
        live(lambda home=home: tell(home), last)
        look_twice(home)
        wanted, again, killed = (home / SEEN).read_text(), 0, True
        while killed:
            again += 1
            home = home_in(place)
            live(lambda home=home: tell(home), last)
            killed = live(lambda home=home: recover(home), again) is None
            with told(f"killed at {last}, then at {again}"):
                look_twice(home)
                assert (home / SEEN).read_text() == wanted
        with told(f"killed at {last}"):
            finish(home)


def main() -> None:
    mode, place = sys.argv[1], Path(sys.argv[2])
    if os.geteuid() == 0:  # whom access rights do not stop
        os.chown(place, NOBODY, NOBODY)
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    gc.disable()  # its visits would copy the memory that forks share
    home = home_in(place)
    changes = live(lambda: finish(home))
    assert changes is not None
    {"once": every_change, "twice": every_change_twice}[mode](place, changes)
    sys.stdout.write(f"{changes} changes\n")


if __name__ == "__main__":
    main()
