"""The line's side: after each verdict some microseconds, and a thread that comes after the line for the rest."""

import logging
import queue
import socket
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from appliance import scheduling
from appliance.inspection import Result
from appliance.shadowing.memory import PICTURE_MAX, SharedMemory
from appliance.shadowing.wire import HELLO, SLOTS, Sighting, back_from_bytes
from appliance.status import FeedStatus
from camera.frame import Frame

logger = logging.getLogger(__name__)

_WAITING_MAX: Final = 2
"""Frames that wait for the feed's thread: a camera has twelve slots, and the station comes first."""


class _Offered(NamedTuple):
    frame: Frame
    model: str
    recipe: str
    result: Result


class FeedLife:
    """One life of the delivery process: the memory and the socket that it inherits."""

    def __init__(self) -> None:
        """Raises: OSError."""
        self.memory = SharedMemory()
        self.socket, socket_of_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs = (self.memory.theirs(), socket_of_theirs)
        """For the child to inherit: memory, socket. Closed by who starts it."""
        self.epoch: int | None = None
        """The examiner's that takes frames; None before one did."""
        self.free = list(range(SLOTS))

    @property
    def is_idle(self) -> bool:
        """Nobody has, or is about to get, a picture."""
        return len(self.free) == SLOTS

    def hear(self) -> None:
        """Take back what the examiner is done with; never waits."""
        while (back := self._next_back()) is not None:
            epoch, slot = back
            if slot == HELLO:
                self.epoch, self.free = epoch, list(range(SLOTS))
            elif epoch == self.epoch and slot < SLOTS and slot not in self.free:
                self.free.append(slot)

    def send(self, sighting: Sighting) -> bool:
        """Never waits. False where it did not fit, or nobody is there."""
        try:
            self.socket.send(sighting.to_bytes(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def end(self) -> None:
        """The taker notices."""
        self.socket.close()
        self.memory.close()

    def _next_back(self) -> tuple[int, int] | None:
        while True:
            try:
                raw = self.socket.recv(64, socket.MSG_DONTWAIT)
            except OSError:
                return None
            if not raw:
                return None
            if (back := back_from_bytes(raw)) is not None:
                return back


class Feed:
    """Shows an examiner what the line judges.

    Threads: offer() belongs to the stations' threads and costs some microseconds; run() is the body of one of the
    owner's; the rest may be called by any. A taker that is slow, stuck or gone costs frames, and nothing else.
    """

    def __init__(self) -> None:
        self._offers: queue.SimpleQueue[_Offered | None] = queue.SimpleQueue()
        self._wanted: frozenset[str] = frozenset()  # replaced, never changed
        self._counts: dict[str, FeedStatus] = {}
        self._lock = threading.Lock()  # guards _life, and what run() does with it
        self._life: FeedLife | None = None

    def start_life(self) -> FeedLife:
        """What a delivery process that is about to start inherits. The one before ends. Raises: OSError."""
        life = FeedLife()
        with self._lock:
            before, self._life = self._life, life
        if before is not None:
            before.end()
        return life

    def end_life(self, life: FeedLife) -> None:
        """That process is gone; nothing is shown any more."""
        self.show(())
        with self._lock:
            if self._life is life:
                self._life = None
                life.end()

    def show(self, models: Collection[str]) -> None:
        """From now on the parts of these models, and no others; counts begin at zero where a model is new."""
        wanted = frozenset(models)
        if wanted == self._wanted:
            return
        for name in wanted - self._wanted:
            self._counts[name] = FeedStatus()
        self._wanted = wanted
        if not wanted:
            self._offers.put(None)  # the thread gives the memory back

    def counts(self) -> Mapping[str, FeedStatus]:
        """Of the models that are shown."""
        return {name: replace(self._counts[name]) for name in self._wanted}

    def offer(self, model: str, recipe: str, frame: Frame, result: Result) -> None:
        """On a station's thread, when the verdict is out. No lock: a count may miss one where two come at once."""
        if model not in self._wanted or result.model is None or frame.pixels is None:
            return
        counts = self._counts[model]
        counts.offered += 1
        if self._offers.qsize() < _WAITING_MAX:
            self._offers.put(_Offered(frame, model, recipe, result))
        else:
            counts.dropped += 1

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set and wake() was called: copy frames and tell of them."""
        scheduling.lend()
        while not stop.is_set():
            offered = self._offers.get()
            with self._lock:
                life = self._life
                if life is None:
                    continue
                if offered is None or offered.model not in self._wanted:
                    _give_back(life, is_wanted=bool(self._wanted))
                    continue
                counts = self._counts[offered.model]
                if _show(life, offered):
                    counts.taken += 1
                else:
                    counts.dropped += 1
            del offered  # or its pixels would wait here for the next part

    def wake(self) -> None:
        """Let run() look at its `stop`."""
        self._offers.put(None)


def _show(life: FeedLife, offered: _Offered) -> bool:
    """Copy and tell; False where there is no room, or nobody."""
    life.hear()
    pixels = offered.frame.pixels
    if life.epoch is None or not life.free or pixels is None or pixels.nbytes > PICTURE_MAX:
        return False
    if pixels.nbytes > life.memory.slot_bytes:
        if not life.is_idle:
            return False  # the slots are laid out anew when the last one is back
        life.memory.make_room(pixels.nbytes)
    slot = life.free[-1]  # the last one freed: it is still in the cache
    with scheduling.as_ordinary():
        offset = life.memory.put(slot, pixels)
    if not life.send(_sighting(life.epoch, slot, offset, offered)):
        return False
    life.free.pop()
    return True


def _sighting(epoch: int, slot: int, offset: int, offered: _Offered) -> Sighting:
    frame, result = offered.frame, offered.result
    assert frame.pixels is not None, "offer() saw to it"
    assert result.model is not None, "offer() saw to it"
    return Sighting(
        epoch=epoch,
        slot=slot,
        offset=offset,
        shape=frame.pixels.shape,
        pixel_format=frame.pixel_format.value,
        sequence=frame.sequence,
        exposed_ns=frame.exposed_ns,
        exposed_utc_ns=frame.exposed_utc_ns,
        is_simulated=frame.is_simulated,
        camera=result.camera,
        recipe=offered.recipe,
        model=offered.model,
        version=result.model.version,
        trigger_id=result.trigger_id,
        evaluation=result.evaluation.value,
        classes=[(one.label, one.score, one.region) for one in result.classes],
        inference_ms=result.times.inference_ms,
    )


def _give_back(life: FeedLife, *, is_wanted: bool) -> None:
    """What nobody looks at takes no memory."""
    life.hear()
    if not is_wanted:
        with scheduling.as_ordinary():
            life.memory.give_back()
