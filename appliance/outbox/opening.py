"""From a folder to a database that can be trusted: make it, check it, or rebuild it from what can be read."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.outbox import highwater, smallfile, watermark
from appliance.outbox.database import Database, Limits, create
from appliance.outbox.errors import OutboxDamaged, OutboxError
from appliance.outbox.faults import in_our_words
from appliance.outbox.row import Row
from appliance.outbox.salvage import Expected, Salvage

_log = logging.getLogger(__name__)

_CHECK_S: Final = 5.0
"""A check that takes longer is left unfinished: each row's own checksum is still read before it is sent."""
_ROWS_UNKNOWN: Final = 1000
"""More cannot have been recorded for a stream since the high-water file was written."""
_ROWS_APART: Final = 1_000_000
"""Between the last row that may have been and a rebuilt file's first: the gateway may have come further than it
wrote down, and a row's number is never used again."""
_DAMAGED_KEPT: Final = 2
"""Damaged files kept for whoever looks into it; older ones are removed."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the small files say about the large one."""

    high: highwater.HighWater | None
    acknowledged: watermark.Acknowledged

    @property
    def last_row(self) -> int:
        """No row above this one is known of; there may be some."""
        return max(0 if self.high is None else self.high.row, self.acknowledged.row)

    def was_open(self, path: Path) -> bool:
        """Whether the last writer of `path` ended without closing it: then its log must be there."""
        return self.high is not None and self.high.in_use == path.name

    def is_newer_than(self, database: Database) -> bool:
        """Whether more was recorded, or acknowledged by the broker, than the database knows of."""
        next_numbers = ((database.next_number(stream), last) for stream, last in self.acknowledged.sequences.items())
        return database.last_row < self.last_row or any(
            following is not None and following <= last for following, last in next_numbers
        )


def current(folder: Path) -> Path | None:
    """The file in use; None where there is none yet. Raises OSError."""
    return max(folder.glob("results-*.db"), key=_generation, default=None)


def open_database(folder: Path, limits: Limits) -> Database:
    """Open the outbox of `folder`, making or rebuilding it where that is needed; blocks for seconds.

    Raises: DiskFull, DiskFailed. It never starts empty where results may have been: then there are gap rows.
    """
    with in_our_words(f"The outbox folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        evidence = _Evidence(highwater.read(folder), watermark.read(folder))
        path = current(folder)
    if path is None and evidence.high is None and evidence.last_row == 0 and not damaged_files(folder):
        path = folder / "results-1.db"
        create(path, [], 0)
        _sync(folder)
    try:
        return _open_trusted(folder, path, evidence, limits)
    except OutboxDamaged as damage:
        rebuilt = _rebuild(folder, path, evidence, str(damage))
        return Database(folder, rebuilt, limits)


def rebuild(database: Database, folder: Path, why: str, limits: Limits) -> Database:
    """Replace a database that turned out damaged while in use. Raises DiskFull, DiskFailed."""
    database.close()
    with in_our_words(f"The outbox folder {folder}"):
        evidence = _Evidence(highwater.read(folder), watermark.read(folder))
    rebuilt = _rebuild(folder, database.path, evidence, why)
    return Database(folder, rebuilt, limits)


def damaged_files(folder: Path) -> list[Path]:
    """Those set aside and not yet removed by a person, oldest first."""
    return sorted(folder.glob("damaged-*.db"), key=_generation)


def _open_trusted(folder: Path, path: Path | None, evidence: _Evidence, limits: Limits) -> Database:
    if path is None:
        msg = f"There is no outbox in {folder}, and there was one before"
        raise OutboxDamaged(msg)
    _set_older_aside(folder, path)
    if evidence.acknowledged.damaged_in == path.name:
        msg = f"The outbox {path} is damaged (a row's checksum is wrong)"
        raise OutboxDamaged(msg)
    if evidence.was_open(path) and not path.with_name(f"{path.name}-wal").exists():
        msg = f"The outbox {path} has lost its log (a copy without the file {path.name}-wal?)"
        raise OutboxDamaged(msg)
    database = Database(folder, path, limits)
    try:
        if not database.check(_CHECK_S):
            _log.warning("the outbox %s is too large to be checked in %.0f s", path, _CHECK_S)
        if evidence.is_newer_than(database):
            msg = f"The outbox {path} is older than what was recorded in it (a restored copy?)"
            raise OutboxDamaged(msg)
    except OutboxError:
        database.close()
        raise
    return database


def _rebuild(folder: Path, damaged: Path | None, evidence: _Evidence, why: str) -> Path:
    """A new file with the rows that can be read and a gap message for each run that cannot; streams begin anew."""
    begin_ns = time.monotonic_ns()
    known_last = None if evidence.high is None else evidence.last_row + _ROWS_UNKNOWN * (1 + len(evidence.high.marks))
    saved = Salvage(damaged, evidence.acknowledged.row + 1, known_last)
    last_row = max(saved.last, evidence.last_row) + _ROWS_APART
    generation = 1 + max([_generation(path) for path in (*folder.glob("*-*.db"), damaged) if path], default=0)
    path = folder / f"results-{generation}.db"

    def rows() -> Iterator[Row]:
        yield from saved.rows()
        yield from saved.gaps(_expected(evidence, saved), last_row + 1, "outbox_damaged")

    try:
        written = create(path, rows(), last_row)
    finally:
        saved.close()
    _sync(folder)
    _set_older_aside(folder, path)
    _log.error(
        "%s: %d results saved, %d runs of numbers lost and named in gap messages; new streams begin in %s (%.1f s)",
        why,
        saved.saved,
        written - saved.saved,
        path,
        (time.monotonic_ns() - begin_ns) / 1e9,
    )
    return path


def _expected(evidence: _Evidence, saved: Salvage) -> list[Expected]:
    """What each known stream owes, beyond what is acknowledged; from the rows alone where the high water is lost."""
    highest = saved.ends()
    if evidence.high is not None:
        for (camera, _), mark in evidence.high.marks.items():
            highest[mark.stream] = (camera, mark.reserved)
    acknowledged = evidence.acknowledged.sequences
    return [
        Expected(camera, stream, acknowledged.get(stream, 0) + 1, last) for stream, (camera, last) in highest.items()
    ]


def _set_older_aside(folder: Path, in_use: Path) -> None:
    with in_our_words(f"The outbox folder {folder}"):
        for path in folder.glob("results-*.db"):
            if path != in_use:
                for suffix in ("-wal", "-shm", ""):
                    beside = path.with_name(path.name + suffix)
                    if beside.exists():
                        beside.rename(folder / beside.name.replace("results", "damaged", 1))
        for path in damaged_files(folder)[:-_DAMAGED_KEPT]:
            _log.warning("removing %s: only the newest %d damaged files are kept", path, _DAMAGED_KEPT)
            for suffix in ("-wal", "-shm", ""):
                path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    with in_our_words(f"The outbox folder {folder}"):
        smallfile.sync_folder(folder)


def _generation(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0
