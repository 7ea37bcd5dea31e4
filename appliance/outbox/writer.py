"""The thread that puts messages on the disk, and keeps trying while the disk does not want them."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.backoff import Backoff
from appliance.outbox import consumers, watermark
from appliance.outbox.disk.amounts import Limits, Stored, Written
from appliance.outbox.disk.ballast import Ballast
from appliance.outbox.disk.database import Database
from appliance.outbox.disk.numbering import Losses
from appliance.outbox.disk.opening import damaged_files, open_database, rebuild
from appliance.outbox.errors import DiskFull, OutboxDamaged, OutboxError, OutboxFull
from appliance.outbox.faults import in_our_words
from appliance.outbox.intake import Intake, Work
from appliance.outbox.lock import ProcessLock
from appliance.outbox.row import GAP_TOPIC, Recorded
from appliance.outbox.states import Event, State, event_of, following

_log = logging.getLogger(__name__)

_GROUP_MAX: Final = 500
"""Messages in one transaction: what came while the disk was busy with the last one."""
_IDLE_S: Final = 1.0
"""After so long without a message, receipts are written down, and rows that are too old deleted, by themselves."""
_RETRY_FIRST_S: Final = 0.05
_RETRY_LAST_S: Final = 2.0


class Writer:
    """run() is the thread; everything else may be read by any thread, and is written by that one alone."""

    def __init__(
        self, folder: Path, limits: Limits, intake: Intake, on_recorded: Callable[[Sequence[Recorded]], None]
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._intake = intake
        self._on_recorded = on_recorded
        self._lock = ProcessLock(folder / "writer.lock", "Another appliance writes")
        self._ballast = Ballast(folder)
        self._database: Database | None = None
        self._group = _GROUP_MAX
        self._more_to_do = False
        self._looked_ns = 0
        self._watermark_seen_ns: int | None = None
        self._consumers_seen_ns: int | None = None
        self._unconfirmed: int | None = None
        self._unheard_in_a_row = False

        self.state = State.OPENING
        """Whether parts are taken: by `state.takes_parts`."""
        self.tried_to_open: Final = threading.Event()
        self.problem: str | None = f"The outbox {folder} is not open yet"
        """Why nothing can be recorded."""
        self.notice: str | None = None
        """What happened before, and needs somebody to look at it."""
        self.busy_since_ns: int | None = None
        """CLOCK_MONOTONIC of the beginning of the transaction that is going on."""
        self.stored = Stored()
        """As of the last commit."""
        self.recorded_total = 0
        self.lost_total = 0
        """Given up on the disk or on the way there; what did not fit into the intake is counted there."""
        self.unheard_total = 0
        """Rows deleted for room that the broker had and a named consumer had not confirmed."""

    def run(self) -> None:
        """Record until the intake has ended."""
        backoff = Backoff(_RETRY_FIRST_S, _RETRY_LAST_S)
        try:
            while not self._intake.is_done():
                if self._try_step():
                    backoff.reset()
                else:
                    self._intake.pause(backoff.next_s())
            self._end()
        finally:
            # Also when a bug ends this thread: from here on nothing is recorded, and no part may pass.
            self.state = following(self.state, Event.ENDED)
            self.problem = f"The outbox {self._folder} records no more: restart the appliance"
            self.tried_to_open.set()

    def _try_step(self) -> bool:
        try:
            self._step()
        except OutboxError as error:
            self._cope(error)
            return False
        else:
            return True
        finally:
            self.tried_to_open.set()

    def _step(self) -> None:
        """Wait for work, and do one transaction of it. Raises OutboxError."""
        if self._database is None:
            self._database = self._open()
            self._enter(Event.OPENED)
            return
        work = self._intake.wait_for_work(self._group, 0.0 if self._more_to_do else _IDLE_S)
        self._look_around(self._database)
        if work.entries or self._database.has_more(work.acknowledged):
            self._write(self._database, work)
        self._enter(Event.DONE)

    def _open(self) -> Database:
        with in_our_words(f"The outbox folder {self._folder}"):
            self._lock.take()
        database = open_database(self._folder, self._limits)
        self._ballast.restore()
        self._opened(database)
        return database

    def _opened(self, database: Database) -> None:
        self.notice = self._damage_kept()
        self.stored = database.stored
        database.unconfirmed = self._unconfirmed

    def _damage_kept(self) -> str | None:
        damaged = damaged_files(self._folder)
        if not damaged:
            return None
        return (
            f"An outbox was damaged and is kept as {damaged[-1]}: see the gap messages for what is lost"
            " (of results that the broker had, some may be missing here for replay and export),"
            " have the disk looked at, and delete the file"
        )

    def _write(self, database: Database, work: Work) -> None:
        self.busy_since_ns = time.monotonic_ns()
        try:
            written = database.write(work.entries, work.acknowledged)
        finally:
            self.busy_since_ns = None
        self._intake.taken(written.taken)
        self._group = min(_GROUP_MAX, self._group * 2)
        self._more_to_do = written.more
        self._count(database, written)
        if written.recorded:
            self._tell(written.recorded)
        if work.entries and written.taken == 0:
            msg = (
                f"The outbox {self._folder} is full ({database.stored.waiting_bytes // 1024**2} MiB):"
                " bring the broker back, or give the outbox more room (max_bytes)"
            )
            raise OutboxFull(msg)

    def _count(self, database: Database, written: Written) -> None:
        self.stored = database.stored
        self.recorded_total += sum(one.topic != GAP_TOPIC for one in written.recorded)
        self.lost_total += written.lost
        if written.lost:
            _log.error("%d results are lost; gap messages tell subscribers which", written.lost)
        self.unheard_total += written.unheard
        if written.unheard and not self._unheard_in_a_row:
            _log.error(
                "the outbox %s has no room: what a named consumer has not confirmed is deleted, oldest first;"
                " bring that consumer back, or give the outbox more room (max_bytes)",
                self._folder,
            )
        if written.removed:
            self._unheard_in_a_row = written.unheard > 0

    def _tell(self, recorded: list[Recorded]) -> None:
        try:
            self._on_recorded(recorded)
        except Exception:  # noqa: BLE001
            # The boundary to whoever listens: a bug there must not end the recording of results.
            _log.exception("a listener failed on what was recorded")

    def _look_around(self, database: Database) -> None:
        """Once a second: the ballast, the damaged files (a person deletes them), and the gateway's file.

        That says the same as acknowledge(), later, and also whether the gateway could read ours.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._looked_ns < _IDLE_S * 1e9:
            return
        self._looked_ns = now_ns
        self._ballast.restore()
        if self.notice is not None:
            self.notice = self._damage_kept()
        self._look_at_consumers(database)
        try:
            changed_ns = watermark.changed_ns(self._folder)
            if changed_ns == self._watermark_seen_ns:
                return
            acknowledged = watermark.read(self._folder)
        except OSError as error:
            _log.warning("how far the broker has come cannot be read (%s)", error)
            return
        self._watermark_seen_ns = changed_ns
        self._intake.acknowledge(acknowledged.row)
        if acknowledged.damaged_in == database.path.name:
            msg = f"The outbox {database.path} is damaged (a row is not what was written)"
            raise OutboxDamaged(msg)

    def _look_at_consumers(self, database: Database) -> None:
        try:
            changed_ns = consumers.changed_ns(self._folder)
            if changed_ns == self._consumers_seen_ns:
                return
            self._unconfirmed = consumers.read(self._folder).unconfirmed
        except OSError as error:
            _log.warning("what the consumers have confirmed cannot be read (%s)", error)
            return
        self._consumers_seen_ns = changed_ns
        database.unconfirmed = self._unconfirmed

    def _cope(self, error: OutboxError) -> None:
        """Do what can be done about it before the next attempt."""
        self._enter(event_of(error), str(error))
        database = self._database
        if database is None:
            self._ballast.release()  # opening takes some room too
        elif isinstance(error, DiskFull):
            self._group = max(1, self._group // 4)
            self._make_room(database)
        elif isinstance(error, OutboxDamaged):
            self._rebuild(database, str(error))

    def _make_room(self, database: Database) -> None:
        """On a full disk: delete what may go, in the room that the ballast gives, and take that room again."""
        self._ballast.release()
        try:
            database.checkpoint()  # first: then the log starts again, and what follows takes no room
            self._count(database, database.make_room(self._intake.acknowledged))
            database.checkpoint()
        except OutboxError as error:
            _log.warning("rows that are not needed any more cannot be deleted either: %s", error)
        if not self._intake.has_ended:
            self._ballast.restore()

    def _rebuild(self, database: Database, why: str) -> None:
        self._database = None
        try:
            self._database = rebuild(database, self._folder, why, self._limits)
        except OutboxError as error:
            self._enter(event_of(error), str(error))
        else:
            self._opened(self._database)
            self._enter(Event.OPENED)

    def _end(self) -> None:
        """Leave the disk tidy. What is still in memory is lost; that at least is written down."""
        database = self._database
        if database is not None:
            losses = self._intake.left()
            if losses.counts:
                self._write_down(database, losses)
            database.close()
            self._database = None
        self._lock.release()

    def _write_down(self, database: Database, losses: Losses) -> None:
        _log.critical("%d results could not be recorded: %s", sum(losses.counts.values()), self.problem)
        self._ballast.release()
        try:
            database.write([losses], self._intake.acknowledged)
        except OutboxError as error:
            _log.critical("nor could a gap message that says so: %s", error)

    def _enter(self, event: Event, problem: str | None = None) -> None:
        self.state = following(self.state, event)
        if problem != self.problem:
            if problem is not None:
                _log.error("%s", problem)
            elif self.recorded_total:
                _log.info("the outbox %s records again", self._folder)
        self.problem = problem
