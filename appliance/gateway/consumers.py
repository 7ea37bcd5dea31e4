"""Programs that say how far they have come with the results: heard, checked, and told of when one falls behind.

A consumer publishes the retained message `<base>/ack/<consumer>/<camera>`, {"stream", "sequence"}: everything of that
camera up to there is in its hands. What it has not confirmed is kept past its age (see `outbox.consumers`).
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from appliance.gateway.acks import ACK, NotBelieved, read_ack
from appliance.health import DeviceHealth, Reason
from appliance.outbox import consumers, watermark
from appliance.outbox.consumers import Confirmed, ConsumerLag, Consumers
from appliance.outbox.errors import OutboxError
from appliance.outbox.faults import in_our_words
from appliance.outbox.history import History, Kept, Selection, StreamSpan
from appliance.steering.inbox import Mail

_log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
GRACE_S: Final = 30.0
"""After a connection began: so long nobody is called late, for who was cut off with us has to catch up first."""
_NEAR: Final = 1000
"""Among so many numbers the first row that is left is found, whatever is missing before it."""
_SAID_EVERY_S: Final = 60.0
_SHARE: Final = 0.05
_LOOK_MAX_S: Final = 60.0
"""A look may take this share of the time, no more: with millions of results it comes less often."""

Report = Callable[[Sequence[ConsumerLag], Sequence[Reason]], None]


class ConsumerWatch:
    """Threads: take() by any, and it never waits; start() and stop() by one. A thread of its own reads the disk."""

    def __init__(
        self,
        folder: Path,
        names: Collection[str],
        cameras: Collection[str],
        late_s: float,
        *,
        published: Callable[[], int],
        connected: Callable[[], bool],
        report: Report,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`folder`: the outbox's; nothing is read before start(). `cameras`: those that have results here.

        `published`: the broker has every row up to this one. `connected`: whether there is a broker at present.
        `report` gets what is found, on the watch's own thread.
        """
        self._folder = folder
        self._names = tuple(dict.fromkeys(names))
        self._cameras = frozenset(cameras)
        self._late_s = late_s
        self._published = published
        self._connected = connected
        self._report = report
        self._clock_ns = clock_ns
        self._utc_ns = utc_ns
        self._begun_ns = clock_ns()
        self._quiet_until_ns = 0
        self._was_connected = False
        self._history = History(folder)
        self._written: Consumers | None = None
        self._complaints: dict[str, tuple[str, int]] = {}
        """What was said last of each topic, and of the disk, and when: once, and nobody can flood the journal."""
        self._lock = threading.Lock()
        self._heard: dict[tuple[str, str], Confirmed] = {}  # guarded by _lock
        self._believed: dict[tuple[str, str], Confirmed] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumers", daemon=True)

    @staticmethod
    def is_meant(mail: Mail) -> bool:
        """Whether this message is a consumer's."""
        return mail.topic.partition("/")[0] == ACK

    def take(self, mail: Mail) -> None:
        """A consumer said how far it is. What cannot be read, or is of no camera of ours, is said once, and ignored."""
        _, name, camera = [*mail.topic.split("/"), "", ""][:3]
        if name not in self._names or not mail.payload.strip():
            return  # an empty one takes the retained message away; what was confirmed stays so
        if camera not in self._cameras:
            self._complain(f"{ACK}/{name}/+", "it is about cameras that are none of this box")
            return
        try:
            said = read_ack(mail.payload)
        except NotBelieved as error:
            self._complain(mail.topic, str(error))
            return
        with self._lock:
            self._heard[name, camera] = said

    def start(self) -> None:
        """Watch from now on. Without consumers there is no thread, and the writer is told that it need keep nothing."""
        try:
            with in_our_words(f"The outbox folder {self._folder}"):
                before = consumers.read(self._folder)
        except OutboxError as error:
            self._complain("disk", str(error))
            before = Consumers()
        self._written = before
        self._believed = {
            (name, camera): one
            for name, cameras in before.confirmed.items()
            for camera, one in cameras.items()
            if name in self._names and camera in self._cameras
        }
        if self._names:
            self._thread.start()
        elif before != Consumers():
            self._write(Consumers())

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._history.close()

    def look(self) -> None:
        """Once: who is how far. Some milliseconds, more with many results; start() does it every 5 s."""
        if not self._names:
            return
        try:
            lags, unconfirmed = self._measured()
        except OutboxError as error:
            self._complain("disk", f"{error}; how far consumers are behind is not known")
            return
        self._complaints.pop("disk", None)
        self._write(Consumers(self._by_name(), unconfirmed))
        self._report(lags, [self._reason(name, late) for name in self._names if (late := _late(lags, name))])

    def _run(self) -> None:
        while not self._stopping.is_set():
            began_s = time.monotonic()
            self.look()
            took_s = time.monotonic() - began_s
            self._stopping.wait(min(_LOOK_MAX_S, max(min(LOOK_S, self._late_s), took_s / _SHARE)))

    # ---- what is found

    def _measured(self) -> tuple[list[ConsumerLag], int]:
        self._settle_connection()
        published = self._published()
        with self._lock:
            heard, self._heard = self._heard, {}
        spans: dict[str, list[StreamSpan]] = {camera: [] for camera in sorted(self._cameras)}
        for one in self._history.streams():
            if one.camera in spans:
                spans[one.camera].append(one)
        for key, said in heard.items():
            self._believe(key, said, spans[key[1]])
        lags, unconfirmed = [], published + 1
        for name in self._names:
            for camera, streams in spans.items():
                confirmed = self._believed.get((name, camera))
                if not streams and confirmed is None:
                    continue
                left = _left(streams, confirmed)
                oldest = self._oldest(left)
                if oldest is not None:
                    unconfirmed = min(unconfirmed, oldest.row.row)
                behind_s = self._behind_s(oldest, confirmed, published)
                is_late = behind_s > self._late_s and self._is_told()
                count = sum(max(0, one.last - one.first + 1) for one in left)
                lags.append(ConsumerLag(name, camera, count, behind_s, is_late, confirmed))
        return lags, unconfirmed

    def _believe(self, key: tuple[str, str], said: Confirmed, streams: Sequence[StreamSpan]) -> None:
        topic = f"{ACK}/{key[0]}/{key[1]}"
        last = next((one.last for one in streams if one.stream == said.stream), None)
        if last is None:  # all of it may be deleted; then the watermark still knows it
            before = self._believed.get(key)
            with in_our_words(f"The outbox folder {self._folder}"):
                last = watermark.read(self._folder).sequences.get(said.stream)
            if last is None and before is not None and before.stream == said.stream:
                last = before.sequence
        if last is None:
            self._complain(topic, f"the stream {said.stream!r} is none of this camera's")
        elif said.sequence > last:
            self._complain(topic, f"sequence {said.sequence} was never published; the newest of its stream is {last}")
        else:
            self._complaints.pop(topic, None)
            self._believed[key] = said

    def _oldest(self, left: Sequence[StreamSpan]) -> Kept | None:
        """The first that is left, by the index on numbers."""
        for one in left:
            last = min(one.last, one.first + _NEAR)
            wanted = Selection(camera=one.camera, stream=one.stream, from_sequence=one.first, to_sequence=last)
            found = self._history.rows(wanted, limit=1)
            if found:
                return found[0]
        return None

    def _behind_s(self, oldest: Kept | None, confirmed: Confirmed | None, published: int) -> float:
        """How long it has not confirmed what the broker has; what is not published is not its fault."""
        if oldest is None or oldest.row.row > published:
            return 0.0
        age_s = max(0.0, (self._utc_ns() - oldest.recorded_utc_ns) / 1e9)
        since_start_s = (self._clock_ns() - self._begun_ns) / 1e9
        return age_s if confirmed is not None else min(age_s, since_start_s)

    def _settle_connection(self) -> None:
        is_connected = self._connected()
        if is_connected and not self._was_connected:
            self._quiet_until_ns = self._clock_ns() + round(min(GRACE_S, self._late_s) * 1e9)
        self._was_connected = is_connected

    def _is_told(self) -> bool:
        """Without a broker nobody can confirm anything, and BROKER_AWAY says so."""
        return self._was_connected and self._clock_ns() >= self._quiet_until_ns

    def _reason(self, name: str, late: Sequence[ConsumerLag]) -> Reason:
        worst = max(late, key=lambda one: one.behind_s)
        others = f" (and of {len(late) - 1} more cameras)" if len(late) > 1 else ""
        heard = "has not confirmed" if worst.confirmed else "was never heard of, and has not confirmed"
        return Reason(
            DeviceHealth.MAINTENANCE_REQUIRED,
            "CONSUMER_BEHIND",
            f"consumer/{name}",
            f"The consumer {name} {heard} {worst.results} results of camera {worst.camera}{others}, the oldest for "
            f"{_long(worst.behind_s)}: see whether it runs, reads {worst.camera}/result and writes "
            f"{ACK}/{name}/{worst.camera}, or take it out of mqtt.consumers; what it has not confirmed is kept for it.",
        )

    # ---- what is written and said

    def _by_name(self) -> Mapping[str, Mapping[str, Confirmed]]:
        found: dict[str, dict[str, Confirmed]] = {name: {} for name in self._names}
        for (name, camera), one in self._believed.items():
            found[name][camera] = one
        return found

    def _write(self, now: Consumers) -> None:
        if now == self._written:
            return
        try:
            consumers.write(self._folder, now)
        except OutboxError as error:
            self._complain("consumers.json", str(error))
            return
        self._complaints.pop("consumers.json", None)
        self._written = now

    def _complain(self, where: str, why: str) -> None:
        now_ns = self._clock_ns()
        before = self._complaints.get(where)
        if before is not None and (before[0] == why or now_ns - before[1] < _SAID_EVERY_S * 1e9):
            return
        self._complaints[where] = why, now_ns
        if where.startswith(f"{ACK}/"):
            _log.warning("What %s says is not believed: %s.", where[:200], why)
        else:
            _log.error("%s", why)


def _left(streams: Sequence[StreamSpan], confirmed: Confirmed | None) -> list[StreamSpan]:
    """What of these, oldest first, is not confirmed; a stream that is not among them is older than all of them."""
    if confirmed is None:
        return list(streams)
    names = [one.stream for one in streams]
    nth = names.index(confirmed.stream) if confirmed.stream in names else -1
    left = list(streams[nth + 1 :])
    if nth >= 0 and streams[nth].last > confirmed.sequence:
        one = streams[nth]
        first = max(one.first, confirmed.sequence + 1)
        left.insert(0, StreamSpan(one.camera, one.stream, first, one.last, one.last - first + 1))
    return left


def _late(lags: Sequence[ConsumerLag], name: str) -> list[ConsumerLag]:
    return [one for one in lags if one.consumer == name and one.is_late]


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
