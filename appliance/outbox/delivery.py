"""Rows from the disk to the broker, in order, and how far it has come: the publisher's work without its thread."""

import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.backoff import Backoff
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import (
    Closed,
    End,
    Event,
    Granted,
    Leaving,
    Opened,
    Receipt,
    Received,
)
from appliance.mqtt.link import Link
from appliance.mqtt.topics import AVAILABILITY, OFFLINE, ONLINE
from appliance.outbox.errors import OutboxDamaged, OutboxError
from appliance.outbox.reader import Reader
from appliance.outbox.retained import Retained
from appliance.outbox.row import Row
from appliance.outbox.watermark import Watermark
from appliance.outbox.window import Window

_log = logging.getLogger(__name__)

_RESULT_TOPIC: Final = "result"
_LAST_TOPIC: Final = "last"
_JSON: Final = "application/json"
_POLL_S: Final = 1.0
"""The outbox is looked into this often, should a hint have been lost."""
_STALLED_S: Final = 30.0
"""A broker that answers nothing for so long has forgotten us, whatever the connection looks like."""
_RETRY_FIRST_S: Final = 1.0
_RETRY_LAST_S: Final = 60.0
_FORGIVE_S: Final = 300.0
_FAREWELL_S: Final = 2.0
_REWIND_S: Final = 5.0
_REWIND_MAX_ROWS: Final = 50
"""A broker that crashes forgets what it had acknowledged and not yet saved: so much is sent again after a lost
connection. Only what was acknowledged on that very connection, or short connections would never come further."""
_CUT_OFF_S: Final = 5.0
_CUT_OFFS_MAX: Final = 3
"""Connections that ended so soon, one after the other, with the same retained topic under way: it is the reason."""
_PROPERTIES_MAX_BYTES: Final = 1024
_NOTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Note:
    """A message that is sent once, now or never: an event, an answer."""

    topic: str
    """Below the base topic; the whole one where `is_answer`."""
    payload: bytes
    is_answer: bool = False
    correlation: bytes | None = None


class Delivery:
    """One thread makes all calls; the attributes without underscore may be read by any."""

    def __init__(
        self,
        folder: Path,
        config: MqttConfig,
        link: Link,
        on_acknowledged: Callable[[int], None],
        topics: Sequence[str] = (),
        on_received: Callable[[Received], None] = lambda _: None,
    ) -> None:
        """`topics`: to subscribe to at each connect, below the base topic; `on_received` gets what comes on them."""
        self._config = config
        self._link = link
        self._on_acknowledged = on_acknowledged
        self._topics = topics
        self._on_received = on_received
        self._notes: deque[Note] = deque(maxlen=_NOTES_MAX)
        self._unread: str | None = None
        """Which of `topics` the broker does not let us read; a sentence."""
        self._reader = Reader(folder)
        self._watermark = Watermark(folder)
        self._window = Window(self._watermark.row, config.window)
        self._window_max = config.window
        self._packet_max_bytes: int | None = None
        self._retained = Retained()
        self._under_way: dict[int, Row | str | Note] = {}
        """Message id -> the row, the retained topic, or what is sent once."""
        self._recent: deque[tuple[int, Row]] = deque(maxlen=_REWIND_MAX_ROWS)
        """(CLOCK_MONOTONIC, row) of what this connection's broker acknowledged for the first time."""
        self._answered_ns = 0
        self._read_again_ns = 0
        self._retry = Backoff(_RETRY_FIRST_S, _RETRY_LAST_S)
        self._hold_until_ns = 0
        self._refused_row: int | None = None
        self._refusal: str | None = None
        self._retained_refusal: str | None = None
        self._forgive_ns = 0
        self._opened_ns: int | None = None
        self._suspects: dict[str, int] = {}
        """Retained topic -> cut-offs in a row at which it was under way."""
        self._read_problem: str | None = None
        self._write_problem: str | None = None

        self.acknowledged = self._watermark.row
        """The broker has every row up to this one."""
        self.published_total = 0
        self.refused_total = 0
        self.unheard_total = 0

    @property
    def under_way(self) -> int:
        """Messages sent whose receipt is not there yet."""
        return len(self._under_way)

    def problem(self) -> str | None:
        """Why results do not flow, or not all that should; a sentence, or two."""
        first = self._link.problem() or self._read_problem or self._write_problem
        refusal = self._refusal or self._retained_refusal or self._unread
        return f"{first}. Before that: {refusal}" if first and refusal else first or refusal

    def put(self, topic: str, payload: bytes) -> None:
        """Make this the newest of a retained topic."""
        self._retained.put(topic, payload)

    def send(self, note: Note) -> None:
        """Send it once, as soon as there is a connection; of more than 256 that wait, the oldest are dropped."""
        self._notes.append(note)

    def hint(self, row: int) -> None:
        """There are rows up to this one."""
        if row > self._window.read_to and self._read_problem is None:
            self._read_again_ns = 0

    def step(self, wake: socket.socket) -> None:
        """Send what may be sent, then wait for what comes back, at most a second or until `wake` is readable."""
        if self._link.is_open:
            self._send_retained()
            self._send_notes()
            self._send_rows()
        for event in self._link.serve(self._patience_s(), wake):
            self._handle(event)
        self._give_up_if_stalled()
        if self._watermark.due_in_s() == 0:
            self._write_watermark()

    def is_drained(self) -> bool:
        """The broker has everything that there is, or the rest cannot be read."""
        if self._window.waiting or self._notes or not self._retained.is_settled:
            return False
        try:
            return not self._reader.after(self._window.read_to, 1)
        except OutboxError:
            return True

    def say_goodbye(self, wake: socket.socket) -> None:
        """Tell that we are offline, wait for the broker to know it, and part from it; some seconds at most."""
        until_ns = time.monotonic_ns() + int(_FAREWELL_S * 1e9)
        self._retained.put(AVAILABILITY, OFFLINE)
        while self._link.is_open and not self._retained.is_settled and time.monotonic_ns() < until_ns:
            self._send_retained()
            for event in self._link.serve(0.1, wake):
                self._handle(event)
        self._link.close(Leaving.POLITELY if self._retained.is_settled else Leaving.AT_ONCE)

    def close(self) -> None:
        """Let go of everything; how far the broker has come is written down. Without a good-bye, our will says it."""
        self._link.close(Leaving.AT_ONCE)
        self._reader.close()
        self._write_watermark()

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

    def _read_ahead(self) -> None:
        now_ns = time.monotonic_ns()
        if not self._wants_rows() or now_ns < self._read_again_ns:
            return
        self._read_again_ns = now_ns + int(_POLL_S * 1e9)
        try:
            rows = self._reader.after(self._window.read_to, self._window.room_to_read())
        except OutboxError as error:
            self._watermark.damaged(self._reader.file_name if isinstance(error, OutboxDamaged) else None)
            self._read_problem = _said(str(error), self._read_problem)
            return
        self._watermark.damaged(None)
        self._read_problem = None
        self._window.add(rows)
        if rows:
            self._read_again_ns = 0  # there may be more

    def _send_rows(self) -> None:
        if time.monotonic_ns() < self._hold_until_ns:
            return
        self._read_ahead()
        while len(self._under_way) < self._window_max:
            row = self._window.next_to_send()
            if row is None:
                return
            if not self._fits(row.payload):
                self._hold(row, self._too_long(row.payload))
                return
            topic = self._below_base(f"{row.camera}/{row.topic}")
            message_id = self._link.publish(
                topic, row.payload, retain=False, content_type=_JSON, attributes=self._attributes(row)
            )
            self._window.sent(row)
            self._sent(message_id, row)

    def _send_retained(self) -> None:
        """A share of the window is theirs, so that `health` does not wait for the end of a backlog."""
        if self._retained_refusal is not None and time.monotonic_ns() > self._forgive_ns:
            self._retained_refusal = None
            self._retained.forgive()
        while self._retained.under_way < self._retained_share() and len(self._under_way) < self._window_max:
            found = self._retained.next_to_send()
            if found is None:
                return
            topic, payload = found
            self._retained.sent(topic)
            if not self._fits(payload):
                self._refuse_retained(topic, self._too_long(payload))
                continue
            content_type = _JSON if payload[:1] == b"{" else None
            self._sent(
                self._link.publish(self._below_base(topic), payload, retain=True, content_type=content_type), topic
            )

    def _send_notes(self) -> None:
        """They share the window with everything else, and are never sent twice."""
        while self._notes and len(self._under_way) < self._window_max:
            note = self._notes.popleft()
            if not self._fits(note.payload):
                _log.error("%s", self._too_long(note.payload))
            elif note.is_answer:
                self._answer(note)
            else:
                topic = self._below_base(note.topic)
                self._sent(self._link.publish(topic, note.payload, retain=False, content_type=_JSON), note)

    def _answer(self, note: Note) -> None:
        try:
            message_id = self._link.publish(
                note.topic, note.payload, retain=False, content_type=_JSON, correlation=note.correlation
            )
        except ValueError as error:
            _log.warning("An MQTT client wants its answer on %r, which is no topic (%s).", note.topic[:80], error)
            return
        self._sent(message_id, note)

    def _below_base(self, topic: str) -> str:
        return f"{self._config.base_topic}/{topic}"

    def _sent(self, message_id: int, message: Row | str | Note) -> None:
        if not self._under_way:
            self._answered_ns = time.monotonic_ns()  # the broker's time to answer begins now
        self._under_way[message_id] = message

    def _fits(self, payload: bytes) -> bool:
        limit = self._packet_max_bytes
        return limit is None or len(payload) + _PROPERTIES_MAX_BYTES <= limit

    def _too_long(self, payload: bytes) -> str:
        return (
            f"The MQTT broker takes messages of at most {self._packet_max_bytes} bytes, and there is one of"
            f" {len(payload)} bytes and its headers: raise its max_packet_size"
        )

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
                self._opened_ns = time.monotonic_ns()
                self._window_max = min(self._config.window, event.receive_maximum)
                self._packet_max_bytes = event.packet_max_bytes
                self._retained.put(AVAILABILITY, ONLINE)
                self._start_again()
                if self._topics:
                    self._link.subscribe([self._below_base(topic) for topic in self._topics])
            case Receipt():
                self._take_receipt(event)
            case Granted():
                self._take_grant(event)
            case Received():
                self._on_received(event)
            case Closed():
                self._suspect_retained()
                self._rewind(event.end)
                self._start_again()

    def _start_again(self) -> None:
        """Nothing is under way any more; rows without a receipt are sent anew, in order."""
        self._under_way.clear()
        self._window.start_again()
        self._window.size = self._rows_share() if self._refused_row is None else 1
        self._retained.start_again(first=AVAILABILITY)

    def _rewind(self, end: End) -> None:
        if end is End.LOST:
            since_ns = time.monotonic_ns() - int(_REWIND_S * 1e9)
            self._window.rewind(row for at_ns, row in self._recent if at_ns > since_ns)
        self._recent.clear()

    def _retained_share(self) -> int:
        return max(1, self._window_max // 10)

    def _rows_share(self) -> int:
        return max(1, self._window_max - self._retained_share())

    def _take_receipt(self, receipt: Receipt) -> None:
        message = self._under_way.pop(receipt.message_id, None)
        self._answered_ns = time.monotonic_ns()
        self.refused_total += receipt.refusal is not None
        if isinstance(message, Row):
            if receipt.refusal is None:
                self._row_taken(message, nobody_listens=receipt.nobody_listens)
            else:
                self._window.refused(message.row)
                self._hold(message, self._refused(f"{message.camera}/{message.topic}", receipt.refusal))
        elif isinstance(message, Note):
            if receipt.refusal is not None:
                _log.warning("The MQTT broker refuses messages on %s (%s).", message.topic, receipt.refusal)
        elif message is not None and receipt.refusal is None:
            self._retained.received(message)
        elif message is not None:
            self._refuse_retained(message, self._refused(message, str(receipt.refusal)))

    def _take_grant(self, granted: Granted) -> None:
        if not granted.refused:
            self._unread = None
            return
        who = self._config.username or "this client"
        self._unread = _said(
            f"The MQTT broker does not let us read {', '.join(granted.refused)}: allow {who} to read there, or"
            " take desired and commands out of the mqtt settings",
            self._unread,
        )

    def _refuse_retained(self, topic: str, refusal: str) -> None:
        """It is left out for minutes: Mosquitto 2.0 with max_queued_messages 0 cuts us off after each refusal."""
        self._retained.refused(topic)
        self._forgive_ns = time.monotonic_ns() + int(_FORGIVE_S * 1e9)
        if refusal != self._retained_refusal:
            _log.error("%s", refusal)
        self._retained_refusal = refusal

    def _suspect_retained(self) -> None:
        """Some brokers cut us off for a message that they refuse, and their answer is lost with the connection.

        What was under way at several cut-offs in a row is taken for refused: results do not wait for it.
        """
        if self._opened_ns is None or time.monotonic_ns() - self._opened_ns > _CUT_OFF_S * 1e9:
            self._suspects.clear()
            return
        self._opened_ns = None
        under_way = {topic for topic in self._under_way.values() if isinstance(topic, str)} - {AVAILABILITY}
        self._suspects = {topic: self._suspects.get(topic, 0) + 1 for topic in under_way}
        for topic, cut_offs in self._suspects.items():
            if cut_offs >= _CUT_OFFS_MAX:
                self._refuse_retained(topic, self._refused(topic, "it ends the connection without an answer"))

    def _row_taken(self, row: Row, *, nobody_listens: bool) -> None:
        self.published_total += 1
        self.unheard_total += nobody_listens
        for one in self._window.received(row.row):
            if one.row > self.acknowledged:  # and not one that was sent again
                self._acknowledge(one)
        if self._refused_row is not None and self.acknowledged >= self._refused_row:
            _log.info("the MQTT broker takes results again")
            self._refused_row, self._refusal = None, None
            self._retry.reset()
            self._window.size = self._rows_share()

    def _acknowledge(self, row: Row) -> None:
        self._watermark.advance(row)
        self._recent.append((time.monotonic_ns(), row))
        if row.topic == _RESULT_TOPIC:
            self._retained.put(f"{row.camera}/{_LAST_TOPIC}", row.payload)
        self.acknowledged = row.row
        self._on_acknowledged(row.row)

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
        if self._under_way and time.monotonic_ns() - self._answered_ns > _STALLED_S * 1e9:
            problem = f"The MQTT broker has answered nothing for {_STALLED_S:.0f} s: connecting again"
            self._handle(self._link.give_up(problem))

    def _write_watermark(self) -> None:
        try:
            self._watermark.flush()
        except OutboxError as error:
            self._write_problem = _said(str(error), self._write_problem)
        else:
            self._write_problem = None


def _said(problem: str, before: str | None) -> str:
    """Log it, if it is not the one that was there before."""
    if problem != before:
        _log.error("%s", problem)
    return problem
