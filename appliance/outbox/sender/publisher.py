"""The gateway's side of the outbox: a thread that passes rows on to the broker until it has acknowledged each."""

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import Received, Will
from appliance.mqtt.link import Link
from appliance.mqtt.topics import AVAILABILITY, OFFLINE, is_suffix, is_topic
from appliance.outbox.errors import OutboxError
from appliance.outbox.faults import in_our_words
from appliance.outbox.lock import ProcessLock
from appliance.outbox.sender.delivery import Delivery
from appliance.outbox.sender.identity import client_id
from appliance.outbox.sender.replaying import Replays
from appliance.outbox.sender.sending import Note

_log = logging.getLogger(__name__)

RETAINED_MAX_BYTES: Final = 262_144
NOTES_MAX: Final = 256
_LOCK_RETRY_S: Final = 1.0
_LAST_WORDS_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class PublisherState:
    """How it stands with the broker."""

    connected: bool
    since: datetime
    """Connected, or not connected, since then; UTC."""
    problem: str | None
    """One sentence for a person; None when results flow."""
    acknowledged: int
    """The broker has every row up to this one."""
    under_way: int
    """Messages sent whose receipt is not there yet."""
    published_total: int
    """Rows that the broker took since start()."""
    refused_total: int
    """Messages that it refused; rows among them are tried again."""
    unheard_total: int
    """Rows that it took although nobody subscribes to them (MQTT 5 only)."""
    taken_per_s: float = 0.0
    """Rows that it took in a second, over the last minute."""
    notices: tuple[str, ...] = ()
    """What will be a problem: a sentence each. Results flow all the same."""
    remark: str | None = None
    """What a setting costs, for as long as it stands: MQTT 3.1.1."""


class Publisher:
    """One thread, started by start(), owns the connection and the files.

    Threads: start() and stop() by one; the others by any, and they never wait for the network. One Publisher a
    folder, over all processes.
    """

    def __init__(
        self,
        folder: Path,
        config: MqttConfig,
        station: str,
        *,
        on_acknowledged: Callable[[int], None] = lambda _: None,
        topics: Sequence[str] = (),
        on_received: Callable[[Received], None] = lambda _: None,
        whole_topics: Sequence[str] = (),
        replays: Replays | None = None,
    ) -> None:
        """Nothing is read or sent before start().

        Args:
            folder: the outbox's.
            config: where the broker is.
            station: the box's name, part of its client id.
            on_acknowledged: called by the publisher's thread with the last row of the unbroken run that the
                broker has; must not wait for anything.
            topics: what to subscribe to, below the base topic; `cmd/+` and the like.
            on_received: called by the publisher's thread with each message on them; must not wait for anything.
            whole_topics: what else to subscribe to, not below the base topic; `homeassistant/status` and the like.
            replays: what is to be sent again whenever nothing newer wants to be sent; see nudge().

        Raises: DiskFailed where the folder cannot be read.
        """
        self._config = config
        self._on_acknowledged = on_acknowledged
        will = Will(f"{config.base_topic}/{AVAILABILITY}", OFFLINE, retain=True)
        self._link = Link(config, client_id(folder, station), lambda: will)
        with in_our_words(f"The outbox folder {folder}"):
            self._delivery = Delivery(
                folder,
                config,
                self._link,
                self._acknowledge,
                (*(f"{config.base_topic}/{topic}" for topic in topics), *whole_topics),
                on_received,
                replays,
            )
        self._lock_file = ProcessLock(folder / "publisher.lock", "Another gateway publishes")
        self._wake, self._waker = socket.socketpair()
        self._wake.settimeout(0)
        self._waker.settimeout(0)

        self._changed = threading.Condition(threading.Lock())
        # guarded by _changed:
        self._wanted: dict[str, bytes] = {}
        self._notes: deque[Note] = deque(maxlen=NOTES_MAX)
        self._newest_row = 0
        self._leave_at_ns: int | None = None
        """Set by stop(): when to leave even if rows are left."""

        self._problem: str | None = None
        """The publisher's thread's own: why it does nothing."""
        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)

    def start(self) -> None:
        """Begin. A broker that is not there is no error: `state` tells of it."""
        self._link.warn()
        self._thread.start()

    def notify(self, row: int) -> None:
        """The line has recorded rows up to this one. A hint: without it they are found within a second."""
        with self._changed:
            self._newest_row = max(self._newest_row, row)
        self._wake_up()

    def publish_retained(self, topic: str, payload: bytes) -> None:
        """Make this the newest on `<base>/<topic>`: sent when it differs, and again on each connect.

        Raises RuntimeError where `topic` is not one to three levels such as `health` or `top/status`, or `payload`
        is longer than 256 KiB.
        """
        self._retain(self._below_base(topic), payload)

    def publish_retained_at(self, topic: str, payload: bytes) -> None:
        """Make this the newest on a whole topic, wherever it is, as publish_retained(); b"" takes it away.

        Raises RuntimeError where `topic` is none of one to sixteen plain levels, or `payload` is longer than 256 KiB.
        """
        self._retain(_whole(topic), payload)

    def publish_once(self, topic: str, payload: bytes) -> None:
        """Send on `<base>/<topic>`, not retained, once: lost where the connection is lost, or 256 others came after it.

        Raises RuntimeError as publish_retained().
        """
        self._note(Note(self._below_base(topic), payload))

    def publish_once_at(self, topic: str, payload: bytes) -> None:
        """Send on a whole topic, as publish_once(). Raises RuntimeError as publish_retained_at()."""
        self._note(Note(_whole(topic), payload))

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send on the topic that a message named for its answer, once, as publish_once()."""
        self._note(Note(topic, payload, correlation))

    def nudge(self) -> None:
        """Look whether there is something to send: a replay was asked for."""
        self._wake_up()

    @property
    def acknowledged(self) -> int:
        """The broker has every row up to this one; the line may delete them."""
        return self._delivery.rows.acknowledged

    def wait_acknowledged(self, row: int, timeout_s: float) -> bool:
        """Wait until the broker has every row up to this one; False where it has not within `timeout_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._delivery.rows.acknowledged >= row, timeout_s)

    def state(self) -> PublisherState:
        """How it stands; some microseconds."""
        delivery = self._delivery
        return PublisherState(
            connected=self._link.is_open,
            since=self._link.since,
            problem=self._problem or delivery.problem(),
            acknowledged=delivery.rows.acknowledged,
            under_way=delivery.under_way,
            published_total=delivery.rows.published_total,
            refused_total=delivery.refused_total,
            unheard_total=delivery.rows.unheard_total,
            taken_per_s=delivery.rows.per_s(),
            notices=self._link.notices(),
            remark=self._link.remark,
        )

    def stop(self, timeout_s: float) -> None:
        """Send what is there, if the broker takes it within `timeout_s` seconds; say `offline`; end.

        Without a connection it ends at once: what was not sent is on the disk.
        """
        with self._changed:
            self._leave_at_ns = time.monotonic_ns() + int(timeout_s * 1e9)
            self._changed.notify_all()
        self._wake_up()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + self._config.connect_timeout_s + _LAST_WORDS_S)

    def _below_base(self, topic: str) -> str:
        if not is_suffix(topic):
            msg = f"{topic!r} cannot follow the base topic"
            raise RuntimeError(msg)
        return f"{self._config.base_topic}/{topic}"

    def _retain(self, topic: str, payload: bytes) -> None:
        if len(payload) > RETAINED_MAX_BYTES:
            msg = f"{len(payload)} bytes are too many for {topic}: {RETAINED_MAX_BYTES} at most"
            raise RuntimeError(msg)
        with self._changed:
            self._wanted[topic] = payload
        self._wake_up()

    def _note(self, note: Note) -> None:
        with self._changed:
            self._notes.append(note)
        self._wake_up()

    def _acknowledge(self, row: int) -> None:
        self._on_acknowledged(row)
        with self._changed:
            self._changed.notify_all()

    def _wake_up(self) -> None:
        try:
            self._waker.send(b"!")
        except OSError:
            return  # so many are unread that it is awake, or it has ended

    # ---- the publisher's thread

    def _run(self) -> None:
        try:
            if self._wait_for_lock():
                while not self._may_leave():
                    self._take_wishes()
                    self._delivery.step(self._wake)
                    self._drain_wake()
                self._delivery.say_goodbye(self._wake)
        finally:
            # Also when a bug ends this thread: whoever asks for the state is to know it.
            self._problem = "The publisher has ended; results wait on the disk: restart the gateway"
            self._delivery.close()
            self._lock_file.release()
            self._wake.close()
            self._waker.close()

    def _wait_for_lock(self) -> bool:
        """A gateway that is about to end may still hold it; False where we have to leave before it does."""
        while not self._is_leaving():
            if self._took_lock():
                return True
            with self._changed:
                self._changed.wait_for(lambda: self._leave_at_ns is not None, _LOCK_RETRY_S)
        return False

    def _took_lock(self) -> bool:
        try:
            with in_our_words("The publisher's lock file"):
                self._lock_file.take()
        except OutboxError as error:
            if self._problem is None:
                _log.warning("%s", error)
            self._problem = str(error)
            return False
        self._problem = None
        return True

    def _take_wishes(self) -> None:
        with self._changed:
            wanted, self._wanted = self._wanted, {}
            notes = list(self._notes)
            self._notes.clear()
            newest_row = self._newest_row
        for note in notes:
            self._delivery.send(note)
        for topic, payload in wanted.items():
            self._delivery.put(topic, payload)
        self._delivery.rows.hint(newest_row)

    def _drain_wake(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            return

    def _is_leaving(self) -> bool:
        with self._changed:
            return self._leave_at_ns is not None

    def _may_leave(self) -> bool:
        with self._changed:
            leave_at_ns, wanted = self._leave_at_ns, bool(self._wanted or self._notes)
        if leave_at_ns is None:
            return False
        if not self._link.is_open or time.monotonic_ns() > leave_at_ns:
            return True
        return not wanted and self._delivery.is_drained()


def _whole(topic: str) -> str:
    if not is_topic(topic):
        msg = f"{topic!r} is no topic of plain levels"
        raise RuntimeError(msg)
    return topic
