"""Wishes read from disk: `<base path>/<version number>/` is a version, any other name is none.

A version is wished for from the moment its directory has a number for a name. So whoever publishes one writes it under
another name and renames it; and whoever vetoes one renames it ("7" to "7.denied").
"""

import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from appliance.serving.errors import ServingError
from appliance.serving.ids import VERSION_MAX, ServableId
from appliance.serving.source import Aspire
from appliance.serving.version_policy import Latest, Specific, VersionPolicy

logger = logging.getLogger(__name__)

PayloadT = TypeVar("PayloadT")

CHILDREN_MAX: Final = 10_000
"""Entries of one base path that are looked at; a path with more is reported as a problem."""


@dataclass(frozen=True, slots=True)
class WatchedServable:
    """One name, the directory of its versions, and which of them are wanted."""

    name: str
    base_path: Path
    versions: VersionPolicy = field(default_factory=Latest)


@dataclass(frozen=True, slots=True)
class _VersionDirectory:
    """A version as found; equal as long as its content has not been replaced."""

    path: Path
    device: int
    inode: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class _Made(Generic[PayloadT]):
    """What was made for a version directory, once."""

    directory: _VersionDirectory
    payload: PayloadT | ServingError


class _Problem(Exception):
    """One name cannot be looked at; the text is for the operator. Never leaves this module."""


class FileSystemSource(Generic[PayloadT]):
    """Looks at each watched base path, and aspires what its version policy chooses.

    A name whose path cannot be read, or where nothing is to be found, is a problem of that name alone: nothing of it
    is unloaded, it is looked at again with the next poll, and the others are not affected.
    A version's payload is made once, and kept while the version is chosen; another is made when the directory was
    replaced or changed (its inode or modification time is another). The manager takes it where the one before failed.

    Threads: poll() and update() exclude each other; problems() waits for neither. A path on a network mount that
    hangs holds up a poll: keep base paths on a local disk.
    """

    def __init__(
        self,
        servables: Iterable[WatchedServable],
        make: Callable[[ServableId, Path], PayloadT],
        aspire: Aspire[PayloadT],
        *,
        poll_interval_s: float = 1.0,
        unload_when_empty: bool = False,
    ) -> None:
        """Read nothing yet. `make` makes a version's payload (its loader, say, or just its path) and is cheap.

        A ServingError that `make` raises is aspired as that version's error. `poll_interval_s` 0: run() polls once;
        below 0: never, whoever owns it polls. `unload_when_empty`: an emptied directory unloads everything of its
        name; otherwise it is taken for the accident that it usually is (an unmounted disk, a copy half done).
        """
        self._make_payload = make
        self._aspire = aspire
        self._poll_interval_s = poll_interval_s
        self._unload_when_empty = unload_when_empty
        self._looking = threading.Lock()
        self._servables = _by_name(servables)  # guarded by _looking, as below
        self._made: dict[str, dict[int, _Made[PayloadT]]] = {}
        self._warned: dict[str, frozenset[str]] = {}
        self._problems: Mapping[str, str] = {}  # replaced, never changed

    def run(self, stop: threading.Event) -> None:
        """Poll at once and then every `poll_interval_s`, until `stop` is set."""
        if self._poll_interval_s < 0:
            return
        self.poll()
        while self._poll_interval_s > 0 and not stop.wait(self._poll_interval_s):
            self.poll()

    def poll(self) -> None:
        """Look at every base path once."""
        with self._looking:
            looked = {servable.name: self._problem_with(servable) for servable in self._servables.values()}
            self._report({name: problem for name, problem in looked.items() if problem is not None})

    def problems(self) -> Mapping[str, str]:
        """What kept the last poll from seeing a name's versions: name -> one sentence. Empty when all is well."""
        return self._problems

    def update(self, servables: Iterable[WatchedServable]) -> None:
        """Watch these instead. What is no longer watched is un-aspired now; the rest follows with the next poll."""
        wanted = _by_name(servables)
        with self._looking:
            dropped = self._servables.keys() - wanted.keys()
            self._servables = wanted
            for name in sorted(dropped):
                self._made.pop(name, None)
                self._warned.pop(name, None)
                self._aspire(name, {})
            self._problems = {name: text for name, text in self._problems.items() if name in wanted}

    def _problem_with(self, servable: WatchedServable) -> str | None:
        """Poll one name; what is wrong with it stays its own."""
        try:
            self._poll_one(servable)
        except _Problem as problem:
            return str(problem)
        return None

    def _poll_one(self, servable: WatchedServable) -> None:
        present, warnings = _look(servable)
        chosen = servable.versions.choose(present)
        if isinstance(servable.versions, Specific):
            missing = sorted(servable.versions.versions - present.keys())
            warnings += [f"version {each} of {servable.name} is asked for, but not there" for each in missing]
        self._warn(servable.name, warnings)
        if not chosen and not self._may_unload_all(servable):
            raise _Problem(
                f"No version of {servable.name} to be found in {servable.base_path}: put one there, in a directory "
                "named by its number; what is loaded stays loaded"
            )
        self._aspire(servable.name, self._payloads(servable.name, [(each, present[each]) for each in chosen]))

    def _may_unload_all(self, servable: WatchedServable) -> bool:
        asks_for_none = isinstance(servable.versions, Specific) and not servable.versions.versions
        return asks_for_none or self._unload_when_empty

    def _payloads(
        self, name: str, chosen: Iterable[tuple[int, _VersionDirectory]]
    ) -> dict[int, PayloadT | ServingError]:
        """The payload of each chosen version: the one that was made for this very content, or a new one."""
        before = self._made.get(name, {})
        made = {}
        for version, directory in chosen:
            known = before.get(version)
            if known is not None and known.directory == directory:
                made[version] = known
                continue
            if known is not None:
                logger.info("%s was replaced: it is loaded again if it had failed, and not otherwise", directory.path)
            made[version] = _Made(directory, self._make(ServableId(name, version), directory.path))
        self._made[name] = made
        return {version: each.payload for version, each in made.items()}

    def _make(self, new: ServableId, path: Path) -> PayloadT | ServingError:
        try:
            return self._make_payload(new, path)
        except ServingError as error:
            logger.warning("%s cannot be loaded from %s: %s", new, path, error)
            return error

    def _warn(self, name: str, warnings: Iterable[str]) -> None:
        """Log what was not so at the last poll."""
        now = frozenset(warnings)
        for warning in sorted(now - self._warned.get(name, frozenset())):
            logger.warning("%s", warning)
        self._warned[name] = now

    def _report(self, problems: Mapping[str, str]) -> None:
        for name, problem in problems.items():
            if self._problems.get(name) != problem:
                logger.warning("%s", problem)
        for name in self._problems.keys() - problems.keys():
            logger.info("the versions of %s can be seen again", name)
        self._problems = problems


def _by_name(servables: Iterable[WatchedServable]) -> dict[str, WatchedServable]:
    named: dict[str, WatchedServable] = {}
    for servable in servables:
        if servable.name in named:
            raise RuntimeError(f"{servable.name} is watched twice")
        named[servable.name] = servable
    return named


def _look(servable: WatchedServable) -> tuple[dict[int, _VersionDirectory], list[str]]:
    """The version directories of one base path, and what is odd about them. Raises: _Problem."""
    try:
        return _version_directories(servable)
    except OSError as error:
        raise _Problem(
            f"Could not find base path {servable.base_path} for servable {servable.name} with error "
            f"{error.strerror or error}: nothing of it is unloaded, and it is looked for again with the next poll"
        ) from error


def _version_directories(servable: WatchedServable) -> tuple[dict[int, _VersionDirectory], list[str]]:
    found: dict[int, _VersionDirectory] = {}
    warnings: list[str] = []
    for version, path in _numbered(servable):
        directory = _examine(path, warnings)
        if directory is None:
            continue
        if version in found:
            warnings.append(f"{found[version].path} and {path} are both version {version}: the first is taken")
        else:
            found[version] = directory
    return found, warnings


def _numbered(servable: WatchedServable) -> list[tuple[int, Path]]:
    """Entries whose whole name is a version number; of two spellings of one the shorter is first."""
    names = []
    with os.scandir(servable.base_path) as entries:
        for count, entry in enumerate(entries, start=1):
            if count > CHILDREN_MAX:
                raise _Problem(
                    f"{servable.base_path} of {servable.name} has more than {CHILDREN_MAX} entries: remove what is "
                    "not a version"
                )
            if entry.name.isascii() and entry.name.isdecimal() and int(entry.name) <= VERSION_MAX:
                names.append(entry.name)
    return [(int(name), servable.base_path / name) for name in sorted(names, key=lambda name: (len(name), name))]


def _examine(path: Path, warnings: list[str]) -> _VersionDirectory | None:
    """What tells one content of a version directory from the next; None where it is no directory, or gone again."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        warnings.append(f"{path} is passed over, it cannot be read: {error.strerror or error}")
        return None
    if not stat.S_ISDIR(status.st_mode):
        return None
    return _VersionDirectory(path, status.st_dev, status.st_ino, status.st_mtime_ns)
