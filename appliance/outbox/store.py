"""The line's side of the outbox: takes results from the verdict thread at once, and sees them onto the disk."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from appliance.outbox import watermark
from appliance.outbox.backoff import Backoff
from appliance.outbox.ballast import Ballast
from appliance.outbox.database import FORGET_MAX_ROWS, Database, Entry, Limits, Losses, in_our_words
from appliance.outbox.errors import DiskFull, OutboxDamaged, OutboxError, OutboxFull
from appliance.outbox.lock import WriterLock
from appliance.outbox.opening import damaged_files, open_database, rebuild
from appliance.outbox.row import GAP_TOPIC, Recorded
from appliance.outbox.topics import is_level

_log = logging.getLogger(__name__)

_GROUP_MAX: Final = 200
"""Messages in one transaction: what came while the disk was busy with the last one."""
_IDLE_S: Final = 1.0
"""After so long without a message, acknowledged rows are deleted by themselves."""
_STALLED_S: Final = 5.0
"""A disk that takes longer than this for one transaction is as good as full."""
_RETRY_FIRST_S: Final = 0.05
_RETRY_LAST_S: Final = 2.0
_LAST_WORDS_S: Final = 2.0
"""After close() has given up: for the gap message about what is lost."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits, for status messages."""

    rows: int
    """On the disk and not acknowledged, or acknowledged within the last second."""
    bytes: int
    """Of the outbox's file that are in use."""
    oldest_age_s: float | None
    """Since the oldest of them was recorded, by the wall clock; None without any."""
    queued: int
    """In memory: not on the disk yet."""


class Outbox:
    """Results on their way to the disk, and those on it until the broker has them.

    Threads: append, accepting, problem, acknowledge_up_to and depth may be called by any, and never wait for the
    disk; on_recorded is called by the writer's thread. One Outbox a folder, over all processes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        policy: Literal["stop", "drop_oldest"] = "stop",
        queue_max: int = 10_000,
        on_recorded: Callable[[Sequence[Recorded]], None] = lambda _: None,
    ) -> None:
        """Nothing is opened before start().

        Args:
            folder: made where it is missing.
            max_bytes: the most disk that waiting results may take.
            policy: what happens when that is reached, see OutboxConfig.
            queue_max: messages held in memory while the disk does not take them; more are lost and counted.
            on_recorded: called by the writer's thread after each commit, with what is now on the disk; must not
                wait for anything.
        """
        self._folder = folder
        self._limits = Limits(max_bytes, policy == "drop_oldest")
        self._queue_max = queue_max
        self._on_recorded = on_recorded
        self._cameras: set[str] = set()

        self._changed = threading.Condition(threading.Lock())
        # guarded by _changed:
        self._queue: deque[Entry | Losses] = deque()
        self._losses: Losses | None = None
        """The queue's last element while more may be added to it."""
        self._acknowledged = 0
        self._give_up_ns: int | None = None
        """Set by close(): when to stop trying."""

        # written by the writer's thread alone:
        self._lock = WriterLock(folder)
        self._ballast = Ballast(folder)
        self._database: Database | None = None
        self._group = _GROUP_MAX
        self._more_to_forget = False
        self._looked_ns = 0
        self._watermark_seen: int | None = None
        self._problem: str | None = f"The outbox {folder} is not open yet"
        self._notice: str | None = None
        self._busy_since_ns: int | None = None
        self._pending: tuple[int, int, int | None] = (0, 0, None)
        self._recorded_total = 0
        self._lost_total = 0

        self._tried_to_open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox-writer", daemon=True)

    def start(self, wait_s: float = 30.0) -> None:
        """Open the outbox and begin to record; returns when it is open, or the first attempt has failed.

        A disk that does not work is not an error here: `problem` tells of it, and the writer tries again.
        """
        self._thread.start()
        self._tried_to_open.wait(wait_s)

    def append(self, camera: str, topic: str, fields: Mapping[str, Any]) -> None:
        """Hand over a message; it gets its `stream` and `sequence` on its way to the disk. Some microseconds.

        What `fields` holds must not be changed afterwards. Raises RuntimeError where `camera` or `topic` cannot
        be part of a topic, and after close().
        """
        self._require_names(camera, topic)
        with self._changed:
            if self._give_up_ns is not None:
                msg = "append() after close()"
                raise RuntimeError(msg)
            if len(self._queue) < self._queue_max:
                self._losses = None
                self._queue.append(Entry(camera, topic, fields))
            else:
                self._lose(camera, topic)
            self._changed.notify()

    def accepting(self) -> bool:
        """Whether a result handed over now will be recorded; if not, the part must not pass."""
        return self._blocked() is None

    def problem(self) -> str | None:
        """What is wrong, in one sentence; also what went wrong before and needs somebody to look at it."""
        return self._blocked() or self._notice

    def acknowledge_up_to(self, row: int) -> None:
        """The broker has every row up to this one: they are deleted with the next commit, or a second later."""
        with self._changed:
            if row > self._acknowledged:
                self._acknowledged = row
                self._changed.notify()

    def depth(self) -> Depth:
        """How much waits, as of the last commit; some microseconds."""
        rows, used, oldest_utc_ns = self._pending
        age_s = None if oldest_utc_ns is None else max(0.0, (time.time_ns() - oldest_utc_ns) / 1e9)
        return Depth(rows, used, age_s, len(self._queue))

    @property
    def recorded_total(self) -> int:
        """Messages put on the disk since start()."""
        return self._recorded_total

    @property
    def lost_total(self) -> int:
        """Messages given up since start(); each is named by a gap message, or will be."""
        return self._lost_total

    def close(self, timeout_s: float) -> int:
        """Put on the disk what is in memory, for at most about `timeout_s` seconds; then end.

        Returns how many messages could not be recorded. Their numbers are named in a gap message if the disk
        takes at least that.
        """
        with self._changed:
            self._give_up_ns = time.monotonic_ns() + int(timeout_s * 1e9)
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + _LAST_WORDS_S)
        return self._count(self._queue)

    # ---- any thread

    def _require_names(self, camera: str, topic: str) -> None:
        if camera not in self._cameras:
            if not is_level(camera):
                msg = f"{camera!r} cannot be a camera's name: it becomes a level of an MQTT topic"
                raise RuntimeError(msg)
            self._cameras.add(camera)
        if topic == GAP_TOPIC or not is_level(topic):
            msg = f"{topic!r} cannot be appended: `gap` is the outbox's own, and a topic is one level"
            raise RuntimeError(msg)

    def _lose(self, camera: str, topic: str) -> None:
        if self._losses is None:
            self._losses = Losses({}, "not_recorded")
            self._queue.append(self._losses)
        counts = self._losses.counts
        counts[camera, topic] = counts.get((camera, topic), 0) + 1

    def _blocked(self) -> str | None:
        if self._problem is not None:
            return self._problem
        if not self._thread.is_alive():
            return f"The outbox {self._folder} is closed"
        busy_since_ns = self._busy_since_ns
        if busy_since_ns is not None and time.monotonic_ns() - busy_since_ns > _STALLED_S * 1e9:
            return f"The disk under {self._folder} has not answered for {_STALLED_S:.0f} s: look at it"
        if len(self._queue) >= self._queue_max:
            return f"{self._queue_max} results wait in memory: the disk under {self._folder} is too slow"
        return None

    @staticmethod
    def _count(queue: Iterable[Entry | Losses]) -> int:
        return sum(1 if isinstance(one, Entry) else sum(one.counts.values()) for one in queue)

    # ---- the writer's thread

    def _run(self) -> None:
        backoff = Backoff(_RETRY_FIRST_S, _RETRY_LAST_S)
        try:
            while not self._is_done():
                if self._try_step():
                    backoff.reset()
                else:
                    self._pause(backoff.next_s())
            self._end()
        finally:
            # Also when a bug ends this thread: from here on nothing is recorded, and no part may pass.
            self._problem = f"The outbox {self._folder} records no more: restart the appliance"
            self._tried_to_open.set()

    def _try_step(self) -> bool:
        try:
            self._step()
        except OutboxError as error:
            self._cope(error)
            return False
        else:
            self._set_problem(None)
            return True
        finally:
            self._tried_to_open.set()

    def _is_done(self) -> bool:
        with self._changed:
            give_up_ns = self._give_up_ns
            return give_up_ns is not None and (not self._queue or time.monotonic_ns() > give_up_ns)

    def _step(self) -> None:
        """Wait for work, and do one transaction of it. Raises OutboxError."""
        if self._database is None:
            self._database = self._open()
            return
        entries, acknowledged = self._wait_for_work()
        self._look_at_watermark(self._database)
        if not entries and acknowledged == 0:
            return
        self._write(self._database, entries, acknowledged)

    def _open(self) -> Database:
        with in_our_words(f"The outbox folder {self._folder}"):
            self._lock.take()
        database = open_database(self._folder, self._limits)
        self._ballast.restore()
        self._opened(database)
        return database

    def _opened(self, database: Database) -> None:
        damaged = damaged_files(self._folder)
        self._notice = None
        if damaged:
            self._notice = (
                f"An outbox was damaged and is kept as {damaged[-1]}: see the gap messages for what is lost, "
                "have the disk looked at, and delete the file"
            )
        self._pending = (database.pending, database.used_bytes, database.oldest_utc_ns)

    def _wait_for_work(self) -> tuple[list[Entry | Losses], int]:
        wait_s = 0.0 if self._more_to_forget else _IDLE_S
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._give_up_ns is not None, wait_s)
            entries = list(islice(self._queue, self._group))
            if self._losses in entries:
                self._losses = None  # it is being written: what is lost from here on comes after it
            return entries, self._acknowledged

    def _write(self, database: Database, entries: list[Entry | Losses], acknowledged: int) -> None:
        self._busy_since_ns = time.monotonic_ns()
        try:
            written = database.write(entries, acknowledged)
        finally:
            self._busy_since_ns = None
        with self._changed:
            for _ in range(written.taken):
                self._queue.popleft()
        self._group = min(_GROUP_MAX, self._group * 2)
        self._more_to_forget = written.forgotten >= FORGET_MAX_ROWS
        self._pending = (database.pending, database.used_bytes, database.oldest_utc_ns)
        self._recorded_total += sum(one.topic != GAP_TOPIC for one in written.recorded)
        self._lost_total += written.lost
        if written.lost:
            _log.error("%d results are lost: subscribers read which in gap messages", written.lost)
        if written.recorded:
            self._tell(written.recorded)
        if written.taken < len(entries) and written.taken == 0:
            msg = (
                f"The outbox {self._folder} is full ({database.used_bytes // 1024**2} MiB): "
                "bring the broker back, or give the outbox more room (max_bytes)"
            )
            raise OutboxFull(msg)

    def _tell(self, recorded: list[Recorded]) -> None:
        try:
            self._on_recorded(recorded)
        except Exception:  # noqa: BLE001
            # The boundary to whoever listens: a bug there must not end the recording of results.
            _log.exception("a listener failed on what was recorded")

    def _look_at_watermark(self, database: Database) -> None:
        """The gateway's file tells the same as acknowledge_up_to, later, and also whether it could read ours."""
        now_ns = time.monotonic_ns()
        if now_ns - self._looked_ns < _IDLE_S * 1e9:
            return
        self._looked_ns = now_ns
        with in_our_words(f"The outbox folder {self._folder}"):
            changed_ns = watermark.changed_ns(self._folder)
            if changed_ns == self._watermark_seen:
                return
            acknowledged = watermark.read(self._folder)
        self._watermark_seen = changed_ns
        self.acknowledge_up_to(acknowledged.row)
        if acknowledged.damaged_in == database.path.name:
            msg = f"The outbox {database.path} is damaged (a row is not what was written)"
            raise OutboxDamaged(msg)

    def _cope(self, error: OutboxError) -> None:
        """Do what can be done about it before the next attempt."""
        self._set_problem(str(error))
        database = self._database
        if database is None:
            return
        if isinstance(error, DiskFull):
            self._group = max(1, self._group // 4)
            self._forget_on_a_full_disk(database)
        elif isinstance(error, OutboxDamaged):
            self._rebuild(database, str(error))

    def _forget_on_a_full_disk(self, database: Database) -> None:
        self._ballast.release()
        try:
            database.write([], self._acknowledged)
            database.checkpoint()
        except OutboxError as error:
            _log.warning("rows that the broker has cannot be deleted either: %s", error)
        if self._give_up_ns is None:
            self._ballast.restore()

    def _rebuild(self, database: Database, why: str) -> None:
        self._database = None
        database.close()
        try:
            self._database = rebuild(database, self._folder, why, self._limits)
        except OutboxError as error:
            self._set_problem(str(error))
            return
        self._opened(self._database)

    def _pause(self, wait_s: float) -> None:
        """Wait, but not when the outbox is being closed or a receipt may have made room."""
        with self._changed:
            seen, closing = self._acknowledged, self._give_up_ns is not None
            self._changed.wait_for(
                lambda: self._acknowledged > seen or (self._give_up_ns is not None) is not closing, wait_s
            )

    def _end(self) -> None:
        """Leave the disk tidy; what is still in memory is lost, and that at least is written down."""
        database = self._database
        if database is not None:
            self._give_up(database)
            database.close()
            self._database = None
        self._lock.release()

    def _give_up(self, database: Database) -> None:
        counts: dict[tuple[str, str], int] = {}
        for one in self._queue:
            for key, count in one.counts.items() if isinstance(one, Losses) else [((one.camera, one.topic), 1)]:
                counts[key] = counts.get(key, 0) + count
        if not counts:
            return
        _log.critical("%d results could not be recorded before the end: %s", sum(counts.values()), self._problem)
        self._ballast.release()
        try:
            database.write([Losses(counts, "not_recorded")], self._acknowledged)
        except OutboxError as error:
            _log.critical("nor could a gap message for them: %s", error)

    def _set_problem(self, problem: str | None) -> None:
        if problem != self._problem:
            if problem is not None:
                _log.error("%s", problem)
            elif self._recorded_total:
                _log.info("the outbox %s records again", self._folder)
        self._problem = problem
