"""The line's side of the outbox: takes results from the verdict thread at once, and sees them onto the disk."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from appliance.mqtt.topics import is_level
from appliance.outbox.disk.amounts import Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.intake import Intake
from appliance.outbox.row import GAP_TOPIC, Recorded
from appliance.outbox.states import State
from appliance.outbox.writer import Writer

OUTBOX_MIN_BYTES: Final = 4 * 1024**2
_STALLED_S: Final = 5.0
"""A disk that takes longer than this for one transaction is as good as full."""
_LAST_WORDS_S: Final = 2.0
"""After close() has given up: for the gap message about what is lost."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What there is, for status messages. Ages are by the wall clock."""

    rows: int
    """On the disk and not acknowledged, or acknowledged within the last second."""
    bytes: int
    """Of disk that they take, at most; `stop` and `drop_oldest` begin when these reach `max_bytes`."""
    oldest_age_s: float | None
    """Since the oldest of them was recorded; None without any."""
    queued: int
    """In memory: not on the disk yet."""
    kept_rows: int = 0
    """On the disk, and the broker has them: for replay and export."""
    kept_bytes: int = 0
    oldest_kept_age_s: float | None = None
    used_bytes: int = 0
    """Of the outbox's file, with everything in it."""


class Outbox:
    """Results on their way to the disk, and those on it until the broker has them.

    Threads: all but start() and close() may be called by any, and never wait for the disk. One Outbox a folder,
    over all processes. A broken disk is no error here: `accepting` turns False, `problem` says why, and the writer
    goes on trying.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        policy: Literal["stop", "drop_oldest"] = "stop",
        queue_max: int = 10_000,
        keep_days: float = 7.0,
        on_recorded: Callable[[Sequence[Recorded]], None] = lambda _: None,
    ) -> None:
        """Nothing is opened before start().

        Args:
            folder: made where it is missing.
            max_bytes: the most disk that results may take; SQLite's log and the ballast take up to 10 MB more.
            policy: what happens when that is reached, see OutboxConfig.
            queue_max: messages held in memory while the disk does not take them; more are lost and counted.
            keep_days: how long results stay once the broker has them, where there is room; 0: they go at once.
            on_recorded: called by the writer's thread after each commit, with what is now on the disk; must not
                wait for anything.
        """
        if max_bytes < OUTBOX_MIN_BYTES:
            msg = f"{max_bytes} bytes are too few for an outbox: {OUTBOX_MIN_BYTES} at least"
            raise RuntimeError(msg)
        self._folder = folder
        self._intake = Intake(queue_max)
        self._writer = Writer(folder, Limits(max_bytes, policy == "drop_oldest", keep_days), self._intake, on_recorded)
        self._thread = threading.Thread(target=self._writer.run, name="outbox-writer", daemon=True)
        self._cameras: set[str] = set()

    def start(self, wait_s: float = 60.0) -> None:
        """Open the outbox and begin to record; returns when it is open, or the first attempt has failed."""
        self._thread.start()
        self._writer.tried_to_open.wait(wait_s)

    def append(self, camera: str, topic: str, fields: Mapping[str, Any]) -> None:
        """Hand over a message; it gets its `stream` and `sequence` on its way to the disk. Some microseconds.

        What `fields` holds must not be changed afterwards. Raises RuntimeError where `camera` or `topic` cannot
        be part of a topic, and after close().
        """
        self._require_names(camera, topic)
        self._intake.put(Entry(camera, topic, fields))

    def accepting(self) -> bool:
        """Whether a result handed over now will be recorded; if not, the part must not pass. A microsecond."""
        return self._blocked() is None

    def problem(self) -> str | None:
        """What is wrong, in one sentence; also what went wrong before and needs somebody to look at it."""
        return self._blocked() or self._writer.notice

    def acknowledge_up_to(self, row: int) -> None:
        """The broker has every row up to this one: that is written down with the next commit, or a second later."""
        self._intake.acknowledge(row)

    def depth(self) -> Depth:
        """How much waits, as of the last commit; some microseconds."""
        stored = self._writer.stored
        return Depth(
            stored.waiting,
            stored.waiting_bytes,
            _age_s(stored.oldest_waiting_utc_ns),
            len(self._intake),
            stored.kept,
            stored.kept_bytes,
            _age_s(stored.oldest_kept_utc_ns),
            stored.used_bytes,
        )

    @property
    def state(self) -> State:
        """The writer's, at this moment."""
        return self._writer.state

    @property
    def recorded_total(self) -> int:
        """Messages put on the disk since start()."""
        return self._writer.recorded_total

    @property
    def lost_total(self) -> int:
        """Messages given up since start(); each is named by a gap message, or will be."""
        return self._writer.lost_total + self._intake.lost_total

    @property
    def unheard_total(self) -> int:
        """Rows deleted for room since start() that the broker had and a named consumer had not confirmed."""
        return self._writer.unheard_total

    def close(self, timeout_s: float) -> int:
        """Put on the disk what is in memory, for at most about `timeout_s` seconds; then end.

        Returns how many messages could not be recorded. Their numbers are named in a gap message if the disk
        takes at least that.
        """
        self._intake.end(time.monotonic_ns() + int(timeout_s * 1e9))
        if self._thread.ident is not None:
            self._thread.join(timeout_s + _LAST_WORDS_S)
        return sum(self._intake.left().counts.values())

    def _require_names(self, camera: str, topic: str) -> None:
        if camera not in self._cameras:
            if not is_level(camera):
                msg = f"{camera!r} cannot be a camera's name: it becomes a level of an MQTT topic"
                raise RuntimeError(msg)
            self._cameras.add(camera)
        if topic == GAP_TOPIC or not is_level(topic):
            msg = f"{topic!r} cannot be appended: `gap` is the outbox's own, and a topic is one level"
            raise RuntimeError(msg)

    def _blocked(self) -> str | None:
        if not self._writer.state.takes_parts:
            return self._writer.problem or f"The outbox {self._folder} records nothing"
        if not self._thread.is_alive():
            return f"The outbox {self._folder} is not running"
        busy_since_ns = self._writer.busy_since_ns
        if busy_since_ns is not None and time.monotonic_ns() - busy_since_ns > _STALLED_S * 1e9:
            return f"The disk under {self._folder} has not answered for {_STALLED_S:.0f} s: look at it"
        if self._intake.is_full:
            return f"{len(self._intake)} results wait in memory: the disk under {self._folder} is too slow"
        return None


def _age_s(recorded_utc_ns: int | None) -> float | None:
    return None if recorded_utc_ns is None else max(0.0, (time.time_ns() - recorded_utc_ns) / 1e9)
