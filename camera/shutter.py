"""When the exposures of a camera without a sensor are made, and when their frames are there to be read."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from camera.config import ShutterConfig
from camera.errors import CameraLost, CameraTimeout, EndOfPictures, TriggerNotReady

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one exposure."""

    late_s: float = 0.0
    is_lost: bool = False
    """It is made and counted, and no frame of it ever comes."""
    is_gone: bool = False
    """The camera disappears instead of making it."""


AS_IT_SHOULD = Fate()


@dataclass(frozen=True, slots=True)
class Exposure:
    """One exposure of which a frame comes."""

    number: int
    """Counts every exposure since the camera was made (or rewound)."""
    sequence: int
    """Counts every exposure since start()."""
    trigger_sequence: int | None
    exposed_ns: int
    """CLOCK_MONOTONIC at the end of exposure."""
    exposed_utc_ns: int
    ready_ns: int
    """CLOCK_MONOTONIC at which its frame can be read, not earlier."""


class Shutter:
    """Makes exposures by trigger or by the clock, and hands them out when they are due, oldest first.

    It has no thread: exposures by the clock are counted up when somebody waits for one, which gives the same ones.
    As in a real camera, `buffers_frames` of them wait, and what comes after that is lost.
    Threads: close() from any; all else from the camera's one thread.
    """

    def __init__(self, config: ShutterConfig, fate: Callable[[int], Fate] = lambda _: AS_IT_SHOULD) -> None:
        self._config = config
        self._fate = fate
        self._changed = threading.Condition()  # guards all below
        self._is_open = False
        self._is_started = False
        self._lost_because = ""
        self._end: int | None = None
        self._waiting: deque[Exposure] = deque()
        self._made = 0
        self._made_at_start = 0
        self._triggers = 0
        self._busy_until_ns = 0
        self._next_ns = 0

    @property
    def triggers_itself(self) -> bool:
        return self._config.trigger == "timed"

    def upcoming(self) -> int | None:
        """The number of the exposure that is most likely handed out next; None after the last. Raises CameraLost."""
        with self._changed:
            self._check_locked(must_be_started=True)
            if self._waiting:
                return self._waiting[0].number
            return None if self._is_at_end_locked() else self._made

    def open(self) -> None:
        with self._changed:
            if self._is_open:
                raise RuntimeError("open() on a camera that is open")
            self._is_open, self._is_started, self._lost_because = True, False, ""

    def rewind(self, end: int | None) -> None:
        """Number the exposures from 0 again; after `end` of them there is nothing more to expose."""
        with self._changed:
            self._made, self._end = 0, end

    def start(self) -> None:
        """Raises CameraLost."""
        with self._changed:
            self._check_locked(must_be_started=False)
            if self._is_started:
                raise RuntimeError("start() on a camera that was started")
            self._is_started = True
            self._made_at_start, self._triggers, self._busy_until_ns = self._made, 0, 0
            self._next_ns = time.monotonic_ns() + self._ns(self._config.takt_s)

    def trigger(self) -> None:
        """Expose now. Only triggers that raise are not counted in `trigger_sequence`; dropped ones are.

        Raises TriggerNotReady, CameraLost, EndOfPictures.
        """
        with self._changed:
            self._check_locked(must_be_started=True)
            if self.triggers_itself:
                raise RuntimeError("trigger() on a camera that triggers itself")
            if self._is_at_end_locked():
                raise EndOfPictures(f"all {self._end} pictures were shown, and they are not to be repeated")
            now_ns = time.monotonic_ns()
            if now_ns < self._busy_until_ns:
                if self._config.drop_overtriggers:
                    self._triggers += 1
                    return
                busy_ms = (self._busy_until_ns - now_ns) / 1e6
                raise TriggerNotReady(f"the exposure before is not read out; ready again in {busy_ms:.1f} ms")
            self._expose_locked(now_ns, self._triggers)
            self._triggers += 1
            self._check_locked(must_be_started=True)

    def next(self, timeout_s: float, since_ns: int) -> Exposure:
        """Wait for the next frame to be due, until `timeout_s` after `since_ns` (CLOCK_MONOTONIC).

        Raises CameraTimeout, CameraLost, EndOfPictures.
        """
        deadline_ns = since_ns + self._ns(timeout_s)
        with self._changed:
            while True:
                self._check_locked(must_be_started=True)
                now_ns = time.monotonic_ns()
                self._expose_what_is_due_locked(now_ns)
                if self._lost_because:
                    continue
                if self._waiting and self._waiting[0].ready_ns <= now_ns:
                    return self._waiting.popleft()
                if not self._waiting and self._is_at_end_locked():
                    raise EndOfPictures(f"all {self._end} pictures were shown, and they are not to be repeated")
                if now_ns >= deadline_ns:
                    raise CameraTimeout(f"no frame within {timeout_s:g} s")
                self._changed.wait((min(deadline_ns, self._due_locked(deadline_ns)) - now_ns) / _NS)

    def stop(self) -> None:
        with self._changed:
            self._is_started = False
            self._waiting.clear()

    def close(self) -> None:
        """End a blocked next() with CameraLost. From any thread, as often as you like."""
        with self._changed:
            if self._is_open:
                self._lose_locked("the camera was closed")
            self._is_open = self._is_started = False

    def lose(self, because: str) -> None:
        """From now on every call raises CameraLost, until close() and open()."""
        with self._changed:
            self._lose_locked(because)

    @staticmethod
    def _ns(seconds: float) -> int:
        return round(seconds * _NS)

    def _lose_locked(self, because: str) -> None:
        self._lost_because = because
        self._waiting.clear()
        self._changed.notify_all()

    def _check_locked(self, *, must_be_started: bool) -> None:
        if self._lost_because:
            raise CameraLost(self._lost_because)
        if not self._is_open:
            raise RuntimeError("the camera is used before open()")
        if must_be_started and not self._is_started:
            raise RuntimeError("the camera is used before start()")

    def _is_at_end_locked(self) -> bool:
        return self._end is not None and self._made >= self._end

    def _due_locked(self, otherwise_ns: int) -> int:
        """When the next frame is there, or the next exposure is made."""
        if self._waiting:
            return self._waiting[0].ready_ns
        return self._next_ns if self.triggers_itself else otherwise_ns

    def _expose_what_is_due_locked(self, now_ns: int) -> None:
        if not self.triggers_itself:
            return
        while self._next_ns <= now_ns and not self._is_at_end_locked() and not self._lost_because:
            self._expose_locked(self._next_ns, None)
            self._next_ns += self._ns(self._config.takt_s)

    def _expose_locked(self, at_ns: int, trigger_sequence: int | None) -> None:
        fate = self._fate(self._made)
        number, self._made = self._made, self._made + 1
        if fate.is_gone:
            self._lose_locked("the camera does not answer any more")
            return
        self._busy_until_ns = at_ns + self._ns(self._config.latency_s)
        if fate.is_lost or len(self._waiting) >= self._config.buffers_frames:
            return
        exposed_ns = at_ns + self._ns(self._config.exposure_s)
        self._waiting.append(
            Exposure(
                number=number,
                sequence=number - self._made_at_start,
                trigger_sequence=trigger_sequence,
                exposed_ns=exposed_ns,
                exposed_utc_ns=time.time_ns() - time.monotonic_ns() + exposed_ns,
                ready_ns=at_ns + self._ns(self._config.latency_s + fate.late_s),
            )
        )
        self._changed.notify_all()
