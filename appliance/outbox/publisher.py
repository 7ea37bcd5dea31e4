"""The gateway's side of the outbox: from the disk to the broker, in order, until it has acknowledged each row."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from appliance.outbox.backoff import Backoff
from appliance.outbox.config import MqttConfig
from appliance.outbox.errors import OutboxDamaged, OutboxError
from appliance.outbox.identity import client_id
from appliance.outbox.link import Link
from appliance.outbox.mqtt import AVAILABILITY, OFFLINE, ONLINE, Closed, Event, Opened, Receipt
from appliance.outbox.reader import Reader
from appliance.outbox.retained import Retained
from appliance.outbox.row import Row
from appliance.outbox.topics import is_suffix
from appliance.outbox.watermark import Watermark
from appliance.outbox.window import Window

_log = logging.getLogger(__name__)

_RESULT_TOPIC: Final = "result"
_LAST_TOPIC: Final = "last"
_JSON: Final = "application/json"
_POLL_S: Final = 1.0
"""The outbox is looked into this often, should a hint have been lost."""
_STALLED_S: Final = 30.0
"""A broker that gives no receipt for so long has forgotten us, whatever the connection looks like."""
_RETRY_FIRST_S: Final = 1.0
_RETRY_LAST_S: Final = 60.0
_FAREWELL_S: Final = 2.0
_PROPERTIES_MAX_BYTES: Final = 1024


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
    published_total: int
    """Rows that the broker took since start()."""
    refused_total: int
    """Messages that it refused; rows among them are tried again."""
    unheard_total: int
    """Rows that it took although nobody subscribes to them (MQTT 5 only)."""


class Publisher:
    """One thread, started by start(), owns the connection, the window and the files.

    Threads: start and stop by one; the others by any, and they never wait for the network.
    """

    def __init__(
        self,
        folder: Path,
        config: MqttConfig,
        station: str,
        *,
        on_acknowledged: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Nothing is read or sent before start().

        Args:
            folder: the outbox's.
            config: where the broker is.
            station: the box's name, part of its client id.
            on_acknowledged: called by the publisher's thread with the last row of the unbroken run that the
                broker has; must not wait for anything.
        """
        self._folder = folder
        self._config = config
        self._on_acknowledged = on_acknowledged
        self._wake, self._waker = socket.socketpair()
        self._wake.settimeout(0)
        self._waker.settimeout(0)

        self._lock = threading.Lock()
        # guarded by _lock:
        self._wanted: dict[str, bytes] = {}
        self._newest_row = 0
        self._leave_at_ns: int | None = None
        """Set by stop(): when to leave even if rows are left."""

        self._progress = threading.Condition(threading.Lock())
        """Notified when the broker has more rows."""

        # the publisher's thread alone:
        self._link = Link(config, client_id(folder, station))
        self._reader = Reader(folder)
        self._watermark = Watermark(folder)
        self._window = Window(self._watermark.row, config.window)
        self._window_max = config.window
        self._packet_max_bytes: int | None = None
        self._retained = Retained()
        self._under_way: dict[int, Row | str] = {}
        """Message id -> the row, or the retained topic."""
        self._last_receipt_ns = 0
        self._read_again_ns = 0
        self._retry = Backoff(_RETRY_FIRST_S, _RETRY_LAST_S)
        self._hold_until_ns = 0
        self._refused_row: int | None = None
        self._refusal: str | None = None
        self._retained_refusal: str | None = None
        self._disk_problem: str | None = None
        self._published_total = self._refused_total = self._unheard_total = 0

        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)

    def start(self) -> None:
        """Begin; a broker that is not there is not an error: `state` tells of it."""
        self._thread.start()

    def notify(self, row: int) -> None:
        """The line has recorded rows up to this one. A hint: without it they are found within a second."""
        with self._lock:
            self._newest_row = max(self._newest_row, row)
        self._wake_up()

    def publish_retained(self, topic: str, payload: bytes) -> None:
        """Make this the newest on `<base>/<topic>`: sent when it differs, and again on each connect.

        Raises RuntimeError where `topic` is not one to three levels such as `health` or `top/status`.
        """
        if not is_suffix(topic):
            msg = f"{topic!r} cannot follow the base topic"
            raise RuntimeError(msg)
        with self._lock:
            self._wanted[topic] = payload
        self._wake_up()

    @property
    def acknowledged(self) -> int:
        """The broker has every row up to this one; the line may delete them."""
        return self._watermark.row

    def wait_acknowledged(self, row: int, timeout_s: float) -> bool:
        """Wait until the broker has every row up to this one; False where it has not within `timeout_s` seconds."""
        with self._progress:
            return self._progress.wait_for(lambda: self._watermark.row >= row, timeout_s)

    def state(self) -> PublisherState:
        """How it stands; some microseconds."""
        return PublisherState(
            connected=self._link.is_open,
            since=self._link.since,
            problem=self._link.problem() or self._disk_problem or self._refusal or self._retained_refusal,
            acknowledged=self._watermark.row,
            under_way=len(self._under_way),
            published_total=self._published_total,
            refused_total=self._refused_total,
            unheard_total=self._unheard_total,
        )

    def stop(self, timeout_s: float) -> None:
        """Send what is there, if the broker takes it within `timeout_s` seconds; say `offline`; end.

        Without a connection it ends at once: what was not sent is on the disk.
        """
        with self._lock:
            self._leave_at_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        self._wake_up()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + _FAREWELL_S + self._config.connect_timeout_s)

    def _wake_up(self) -> None:
        try:
            self._waker.send(b"!")
        except BlockingIOError:
            return  # it is awake

    # ---- the publisher's thread

    def _run(self) -> None:
        try:
            while not self._may_leave():
                self._step()
            self._say_goodbye()
        finally:
            self._link.close()
            self._reader.close()
            self._flush_watermark(now=True)
            self._wake.close()

    def _step(self) -> None:
        """Send what may be sent, then wait for what comes back."""
        self._take_wishes()
        if self._link.is_open:
            self._send_rows()
            self._send_retained()
        for event in self._link.serve(self._patience_s(), self._wake):
            self._handle(event)
        self._drain_wake()
        self._give_up_if_stalled()
        self._flush_watermark()

    def _take_wishes(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, {}
            newest_row = self._newest_row
        for topic, payload in wanted.items():
            self._retained.put(topic, payload)
        if newest_row > self._window.read_to and self._disk_problem is None:
            self._read_again_ns = 0

    def _patience_s(self) -> float:
        """How long nothing may happen before there is something to do all the same."""
        now_ns = time.monotonic_ns()
        until_s = [_POLL_S]
        if self._link.is_open and now_ns < self._hold_until_ns:
            until_s.append((self._hold_until_ns - now_ns) / 1e9)
        elif self._link.is_open and self._wants_rows():
            until_s.append(max(0.0, (self._read_again_ns - now_ns) / 1e9))
        due_s = self._watermark.due_in_s()
        if due_s is not None:
            until_s.append(due_s)
        return min(until_s)

    def _wants_rows(self) -> bool:
        return self._window.room_to_read() >= self._window.size

    def _send_rows(self) -> None:
        if time.monotonic_ns() < self._hold_until_ns:
            return
        self._read_ahead()
        while len(self._under_way) < self._window_max and (row := self._window.next_to_send()) is not None:
            if not self._fits(row):
                return
            message_id = self._link.publish(
                f"{row.camera}/{row.topic}",
                row.payload,
                retain=False,
                content_type=_JSON,
                attributes=self._attributes(row),
            )
            self._window.sent(row)
            self._sent(message_id, row)

    def _send_retained(self) -> None:
        share = max(1, self._window_max // 10)
        while self._retained.under_way < share and len(self._under_way) < self._window_max:
            found = self._retained.next_to_send()
            if found is None:
                return
            topic, payload = found
            content_type = _JSON if payload[:1] == b"{" else None
            message_id = self._link.publish(topic, payload, retain=True, content_type=content_type)
            self._retained.sent(topic)
            self._sent(message_id, topic)

    def _sent(self, message_id: int, message: Row | str) -> None:
        if not self._under_way:
            self._last_receipt_ns = time.monotonic_ns()  # the broker's time to answer begins now
        self._under_way[message_id] = message

    def _read_ahead(self) -> None:
        now_ns = time.monotonic_ns()
        if not self._wants_rows() or now_ns < self._read_again_ns:
            return
        self._read_again_ns = now_ns + int(_POLL_S * 1e9)
        room = self._window.room_to_read()
        try:
            rows = self._reader.after(self._window.read_to, room)
        except OutboxError as error:
            self._watermark.damaged(self._reader.file_name if isinstance(error, OutboxDamaged) else None)
            self._set_disk_problem(str(error))
            return
        self._watermark.damaged(None)
        self._set_disk_problem(None)
        self._window.add(rows)
        if rows:
            self._read_again_ns = 0  # there may be more

    def _fits(self, row: Row) -> bool:
        """Whether the broker takes messages as long as this one; if not, it waits for a broker that does."""
        limit = self._packet_max_bytes
        if limit is None or len(row.payload) + _PROPERTIES_MAX_BYTES <= limit:
            return True
        self._hold(
            row,
            f"The MQTT broker takes messages of at most {limit} bytes, and a result has {len(row.payload)}:"
            " raise its max_packet_size",
        )
        return False

    def _attributes(self, row: Row) -> Mapping[str, str] | None:
        """CloudEvents 1.0 in binary mode: readers who do not know it do not see it."""
        if not self._config.cloudevents:
            return None
        return {
            "specversion": "1.0",
            "id": f"{row.stream}/{row.sequence}",
            "source": f"/{self._config.base_topic}/{row.camera}",
            "type": f"inspection.{row.topic}.v1",
        }

    def _handle(self, event: Event) -> None:
        match event:
            case Opened():
                self._begin(event)
            case Receipt():
                self._take_receipt(event)
            case Closed():
                self._start_again()

    def _begin(self, opened: Opened) -> None:
        self._window_max = min(self._config.window, opened.receive_maximum)
        self._packet_max_bytes = opened.packet_max_bytes
        self._retained_refusal = None
        self._retained.put(AVAILABILITY, ONLINE)
        self._start_again()

    def _start_again(self) -> None:
        """Nothing is under way any more; rows without a receipt are sent anew, in order."""
        self._under_way.clear()
        self._window.start_again()
        self._window.size = self._full_size() if self._refused_row is None else 1
        self._retained.start_again(first=AVAILABILITY)

    def _full_size(self) -> int:
        """Rows that may be under way, leaving room for a retained message even while a backlog drains."""
        return max(1, self._window_max - max(1, self._window_max // 10))

    def _take_receipt(self, receipt: Receipt) -> None:
        message = self._under_way.pop(receipt.message_id, None)
        self._last_receipt_ns = time.monotonic_ns()
        self._refused_total += receipt.refusal is not None
        if isinstance(message, Row):
            if receipt.refusal is None:
                self._row_taken(message, nobody_listens=receipt.nobody_listens)
            else:
                self._window.refused(message.row)
                self._hold(message, self._refused(f"{message.camera}/{message.topic}", receipt.refusal))
        elif message is not None:
            self._retained.received(message)
            if receipt.refusal is not None:
                self._retained_refusal = self._refused(message, receipt.refusal)

    def _row_taken(self, row: Row, *, nobody_listens: bool) -> None:
        self._published_total += 1
        self._unheard_total += nobody_listens
        finished = self._window.received(row.row)
        for one in finished:
            self._watermark.advance(one)
            if one.topic == _RESULT_TOPIC:
                self._retained.put(f"{one.camera}/{_LAST_TOPIC}", one.payload)
        if finished:
            self._on_acknowledged(finished[-1].row)
            with self._progress:
                self._progress.notify_all()
        if self._refused_row is not None and self._watermark.row >= self._refused_row:
            _log.info("the MQTT broker takes results again")
            self._refused_row, self._refusal = None, None
            self._retry.reset()
            self._window.size = self._full_size()

    def _hold(self, row: Row, refusal: str) -> None:
        """A refused row is not sent, and nothing may overtake it: wait, then try it alone."""
        if time.monotonic_ns() < self._hold_until_ns:
            return  # one of those that were under way with it
        wait_s = self._retry.next_s()
        if refusal != self._refusal:
            _log.error("%s (next attempt in %.0f s)", refusal, wait_s)
        self._refused_row, self._refusal = row.row, refusal
        self._hold_until_ns = time.monotonic_ns() + int(wait_s * 1e9)
        self._window.size = 1

    def _refused(self, topic: str, reason: str) -> str:
        return (
            f"The MQTT broker refuses messages on {self._config.base_topic}/{topic} ({reason}): allow"
            f" {self._config.username or 'this client'} to write there; results wait on the disk"
        )

    def _give_up_if_stalled(self) -> None:
        if self._under_way and time.monotonic_ns() - self._last_receipt_ns > _STALLED_S * 1e9:
            self._link.give_up(f"The MQTT broker has answered nothing for {_STALLED_S:.0f} s: connecting again")
            self._start_again()

    def _set_disk_problem(self, problem: str | None) -> None:
        if problem != self._disk_problem and problem is not None:
            _log.error("%s", problem)
        self._disk_problem = problem

    def _flush_watermark(self, *, now: bool = False) -> None:
        due_s = self._watermark.due_in_s()
        if due_s is None or (due_s > 0 and not now):
            return
        try:
            self._watermark.flush()
        except OutboxError as error:
            self._set_disk_problem(str(error))

    def _drain_wake(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            return

    def _may_leave(self) -> bool:
        with self._lock:
            leave_at_ns = self._leave_at_ns
        if leave_at_ns is None:
            return False
        return not self._link.is_open or time.monotonic_ns() > leave_at_ns or self._is_drained()

    def _is_drained(self) -> bool:
        if self._window.waiting or not self._retained.is_settled:
            return False
        try:
            return not self._reader.after(self._window.read_to, 1)
        except OutboxError:
            return True  # it cannot be sent; it stays on the disk

    def _say_goodbye(self) -> None:
        if not self._link.is_open:
            return
        self._retained.put(AVAILABILITY, OFFLINE)
        until_ns = time.monotonic_ns() + int(_FAREWELL_S * 1e9)
        while not self._retained.is_settled and time.monotonic_ns() < until_ns:
            self._send_retained()
            for event in self._link.serve(0.1, self._wake):
                self._handle(event)
                if isinstance(event, Closed):
                    return
