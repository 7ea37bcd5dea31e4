"""The disk is full from the n-th change on: `unshare -rm python -m registry.store.full FOLDER`, where it mounts one."""

import errno
import functools
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

from registry.store.changes import Changes
from registry.store.story import BALLAST, assert_sound, lay_factories, tell
from registry.store.sweep import finish

from appliance.registry.errors import NoSpace, StoreError
from appliance.registry.store.store import Store
from appliance.registry.store.view import StoreView

SIZE_BYTES = 1 << 20
INODES = 150


class Disk:
    """A small one, and a stranger on it who takes all that is left: bytes, or names as well."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self._stranger = folder / "stranger"
        options = f"size={SIZE_BYTES},nr_inodes={INODES}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(folder)], check=True)

    def renew(self) -> None:
        self.free()
        if self.home.exists():
            shutil.rmtree(self.home)
        self.home.mkdir()
        lay_factories(self.home)

    def fill(self, *, names: bool) -> None:
        self._stranger.mkdir()
        with (self._stranger / "bytes").open("wb", buffering=0) as file:
            until_full(functools.partial(file.write, b"x" * 4096))
        if names:
            unused = (self._stranger / str(number) for number in itertools.count())
            until_full(lambda: next(unused).touch())

    def free(self) -> None:
        if self._stranger.exists():
            shutil.rmtree(self._stranger)


def until_full(act) -> None:
    try:
        while True:
            act()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def full_from(disk: Disk, changes: Changes, at: int, *, names: bool) -> str | None:
    """What the store says of it; None where its story went to the end all the same."""
    disk.renew()
    said = None
    changes.arm(at, lambda: disk.fill(names=names))
    try:
        tell(disk.home).close()
    except (NoSpace, StoreError) as error:
        said = f"{type(error).__name__}: {error}"
        assert str(disk.home) in said
        assert "full" in said or "no room" in said, said
    changes.disarm()
    look_while_full(disk)
    disk.free()
    finish(disk.home)
    return said


def look_while_full(disk: Disk) -> None:
    """What serves is whole, and can be read; a restart of delivery finds it so too."""
    served = StoreView(disk.home / "store").current()
    store = Store(disk.home / "store", BALLAST)
    try:
        recovered = store.open()
    except NoSpace:
        assert served is None, "the disk was full before there was anything"
        return
    assert_sound(store, recovered)
    assert store.current == served
    store.close()


def main() -> None:
    disk, changes = Disk(Path(sys.argv[1])), Changes(growing_only=True)
    disk.renew()
    changes.arm(None, lambda: None)
    finish(disk.home)
    count = changes.disarm()
    found = {
        kind: [full_from(disk, changes, at, names=kind == "names") for at in range(1, count + 1)]
        for kind in ("bytes", "names")
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
