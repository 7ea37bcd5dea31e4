"""`current`, `previous`, `factory`: symbolic links to releases, each moved by one rename; and `serving/`."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.registry.store.durable import names_in, remove_file, sync_folder
from appliance.registry.store.layout import NEXT, Layout, Pointer, is_name


class Pointers:
    """Reads and moves them, by folder name. One thread at a time; raises OSError.

    A move of `current` takes `previous` with it. What is to come is laid beside both first, as `.current.next` and
    `.previous.next`; then `current` is renamed, then `previous`. A kill between the two is told from one before by
    where `current` points: `recover` finishes or undoes.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def read(self, pointer: Pointer) -> str | None:
        """The release that it names; None where there is none, or it is no link of ours."""
        return read_link(self._layout.pointer(pointer))

    def named(self) -> set[str]:
        """All releases that a pointer names."""
        return {name for pointer in _ALL if (name := self.read(pointer)) is not None}

    def activate(self, name: str, version: int, after_rename: Callable[[], None] | None = None) -> None:
        """`current` := name, `previous` := what it was; `serving` follows. An exception of the call is handed on."""
        self._settle()
        old = self.read("current")
        if old == name:
            self.serve(name, version)
            return
        with self._laid(name):
            if old is not None:
                self._lay("previous", old)
            sync_folder(self._layout.root)
            self._step("current")
        try:
            if after_rename is not None:
                after_rename()
        finally:
            if old is not None:
                self._step("previous")
            sync_folder(self._layout.root)
            self._step_serving(version)

    def back(self, after_rename: Callable[[], None] | None = None) -> None:
        """`previous` becomes `current`: one rename, which needs no room on the disk. `serve` is the caller's."""
        self._settle()
        self._layout.pointer("previous").rename(self._layout.pointer("current"))
        try:
            if after_rename is not None:
                after_rename()
        finally:
            sync_folder(self._layout.root)

    def replace(self, name: str, version: int) -> None:
        """`current` := name, and `previous` stays, unless it names the same."""
        self._settle()
        with self._laid(name):
            self._step("current")
        sync_folder(self._layout.root)
        self._step_serving(version)
        self.recover()

    @contextmanager
    def _laid(self, name: str) -> Iterator[None]:
        """All that needs room on the disk comes before the rename: after it there are renames and removals alone."""
        try:
            self._lay("current", name)
            self._lay_serving(name)
            yield
        except OSError:
            self._clear()
            raise

    def set(self, pointer: Pointer, name: str) -> None:
        """That one alone."""
        if self.read(pointer) != name:
            self._lay(pointer, name)
            self._step(pointer)
            sync_folder(self._layout.root)

    def clear(self, pointer: Pointer) -> None:
        """It names nothing."""
        if remove_file(self._layout.pointer(pointer)):
            sync_folder(self._layout.root)

    def serve(self, name: str | None, version: int = 0) -> None:
        """`serving` has exactly one entry: the version, a link to the release. The new comes before the old goes."""
        serving = self._layout.serving
        wanted = {} if name is None else {str(version): _target_in_serving(name)}
        if {entry: _target(serving / entry) for entry in names_in(serving)} == wanted:
            return
        if name is not None:
            self._lay_serving(name)
        self._step_serving(version)

    def _lay_serving(self, name: str) -> None:
        following = self._layout.serving / NEXT
        remove_file(following)
        following.symlink_to(_target_in_serving(name))

    def _step_serving(self, version: int) -> None:
        serving = self._layout.serving
        following, entry = serving / NEXT, str(version)
        others = [one for one in names_in(serving) if one not in {entry, NEXT}]
        if _target(following) is None:
            others.append(entry)
        else:
            following.rename(serving / entry)
        for other in others:
            remove_file(serving / other)
        sync_folder(serving)

    def recover(self) -> None:
        """Finish or undo a move that was under way."""
        self._settle()
        previous = self.read("previous")
        if previous is not None and previous == self.read("current"):
            remove_file(self._layout.pointer("previous"))
        sync_folder(self._layout.root)

    def _settle(self) -> None:
        waiting = read_link(self._layout.next("previous"))
        if waiting is not None and self.read("current") not in {waiting, None}:
            self._step("previous")
        self._clear()

    def _lay(self, pointer: Pointer, name: str) -> None:
        remove_file(self._layout.next(pointer))
        self._layout.next(pointer).symlink_to(f"versions/{name}")

    def _step(self, pointer: Pointer) -> None:
        self._layout.next(pointer).rename(self._layout.pointer(pointer))

    def _clear(self) -> None:
        for pointer in _ALL:
            remove_file(self._layout.next(pointer))
        remove_file(self._layout.serving / NEXT)


def _target_in_serving(name: str) -> str:
    return f"../versions/{name}"


_ALL: tuple[Pointer, ...] = ("current", "previous", "factory")


def read_link(path: Path) -> str | None:
    """The release that a link of ours names. Raises OSError."""
    target = _target(path)
    if target is None:
        return None
    folder, _, name = target.partition("/")
    return name if folder == "versions" and is_name(name) else None


def _target(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:  # something else than a link
            return None
        raise
