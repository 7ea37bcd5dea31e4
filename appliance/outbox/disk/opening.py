"""From a folder to a database that can be trusted: make it, check it, or rebuild it from what can be read."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from appliance.outbox import smallfile, watermark
from appliance.outbox.disk import highwater
from appliance.outbox.disk.amounts import Limits
from appliance.outbox.disk.database import Database
from appliance.outbox.disk.retention import Clock
from appliance.outbox.disk.salvage import Expected, Salvage
from appliance.outbox.disk.tables import acknowledged_in, create
from appliance.outbox.errors import DiskFull, OutboxDamaged, OutboxError
from appliance.outbox.faults import in_our_words
from appliance.outbox.files import current, damaged_files, generation
from appliance.outbox.row import Row

__all__ = ["current", "damaged_files", "open_database", "rebuild"]

_log = logging.getLogger(__name__)

_CHECK_S: Final = 2.0
"""A check that takes longer is left unfinished: each row's own checksum is still read before it is sent."""
_CHECK_AFTER_ORDERLY_CLOSE_S: Final = 0.5
_KEPT_SAVED_S: Final = 3.0
"""So long it is tried to save what the broker has, newest first; the line waits for it."""
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


def open_database(folder: Path, limits: Limits, clock: Clock | None = None) -> Database:
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
        return _open_trusted(folder, path, evidence, limits, clock)
    except OutboxDamaged as damage:
        return _rebuilt(folder, path, evidence, str(damage), limits, clock)


def rebuild(database: Database, folder: Path, why: str, limits: Limits, clock: Clock | None = None) -> Database:
    """Replace a database that turned out damaged while in use. Raises DiskFull, DiskFailed."""
    database.close()
    with in_our_words(f"The outbox folder {folder}"):
        evidence = _Evidence(highwater.read(folder), watermark.read(folder))
    return _rebuilt(folder, database.path, evidence, why, limits, clock)


def _rebuilt(
    folder: Path, damaged: Path | None, evidence: _Evidence, why: str, limits: Limits, clock: Clock | None
) -> Database:
    database = Database(folder, _rebuild(folder, damaged, evidence, why, limits), limits, clock)
    if evidence.high is not None:
        # The rows of the gap messages, too: a further damage before the next result would not look for them.
        with in_our_words(f"The outbox folder {folder}"):
            highwater.write(folder, replace(evidence.high, row=database.last_row, in_use=None))
    return database


def _open_trusted(
    folder: Path, path: Path | None, evidence: _Evidence, limits: Limits, clock: Clock | None
) -> Database:
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
    database = Database(folder, path, limits, clock)
    try:
        limit_s = _CHECK_S if evidence.was_open(path) else _CHECK_AFTER_ORDERLY_CLOSE_S
        if not database.check(limit_s):
            _log.info("the outbox %s is too large to be checked in %.1f s: rows are when they are sent", path, limit_s)
        if evidence.is_newer_than(database):
            msg = f"The outbox {path} is older than what was recorded in it (a restored copy?)"
            raise OutboxDamaged(msg)
    except OutboxError:
        database.close()
        raise
    return database


def _rebuild(folder: Path, damaged: Path | None, evidence: _Evidence, why: str, limits: Limits) -> Path:
    """A new file with the rows that can be read and a gap message for each run that cannot; streams begin anew.

    Of the rows that the broker has, as many as there is time and room for; they are only missing from the history.
    """
    number = 1 + max([generation(path) for path in (*folder.glob("*-*.db"), damaged) if path], default=0)
    path = folder / f"results-{number}.db"
    kept_bytes = limits.max_bytes // 4 if limits.keep_days else 0
    try:
        _save(damaged, path, evidence, why, kept_bytes)
    except DiskFull:
        _save(damaged, path, evidence, why, 0)
    _sync(folder)
    _set_older_aside(folder, path)
    return path


def _save(damaged: Path | None, path: Path, evidence: _Evidence, why: str, kept_bytes: int) -> None:
    begin_ns = time.monotonic_ns()
    known_last = None if evidence.high is None else evidence.last_row + _ROWS_UNKNOWN * (1 + len(evidence.high.marks))
    acknowledged = max(evidence.acknowledged.row, acknowledged_in(damaged))
    saved = Salvage(damaged, acknowledged + 1, known_last)
    last_row = max(saved.last, evidence.last_row) + _ROWS_APART

    def rows() -> Iterator[tuple[Row, int]]:
        yield from saved.kept(kept_bytes, _KEPT_SAVED_S)
        yield from saved.rows()
        now_ns = time.time_ns()
        for row in saved.gaps(_expected(evidence, saved), last_row + 1, "outbox_damaged"):
            yield row, now_ns

    try:
        written = create(path, rows(), last_row, acknowledged)
    finally:
        saved.close()
    _log.error(
        "%s: %d results saved, %d runs of numbers lost and named in gap messages; of those that the broker has"
        " %d are kept, the others are missing from the history; new streams begin in %s (%.1f s)",
        why,
        saved.saved,
        written - saved.saved - saved.saved_kept,
        saved.saved_kept,
        path,
        (time.monotonic_ns() - begin_ns) / 1e9,
    )


def _expected(evidence: _Evidence, saved: Salvage) -> list[Expected]:
    """What each known stream owes, beyond what is acknowledged; from the rows alone where the high water is lost."""
    highest = saved.ends()
    if evidence.high is not None:
        highest |= evidence.high.ended
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
