"""The rows of the outbox on their way to the broker: read ahead, sent in order, acknowledged without a hole."""

import logging
import time
from collections import deque
from collections.abc import Hashable
from pathlib import Path
from typing import Final

from appliance.mqtt.config import MqttConfig
from appliance.outbox.errors import OutboxDamaged, OutboxError
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC, Row
from appliance.outbox.sender.hold import Hold
from appliance.outbox.sender.pen import Watermark
from appliance.outbox.sender.sending import Outgoing
from appliance.outbox.sender.speed import Speed
from appliance.outbox.sender.window import Window

_log = logging.getLogger(__name__)

_RESULT_TOPIC: Final = "result"
_POLL_S: Final = 1.0
"""The outbox is looked into this often, should a hint have been lost."""
_REWIND_S: Final = 5.0
_REWIND_MAX_ROWS: Final = 50
"""A broker that crashes forgets what it had acknowledged and not yet saved: so much is sent again after a lost
connection. Only what was acknowledged on that very connection, or short connections would never come further."""


class LiveRows:
    """The lane of rows. One thread; the attributes without underscore may be read by any."""

    def __init__(self, folder: Path, config: MqttConfig) -> None:
        """Nothing is read before next_to_send()."""
        self._config = config
        self._newest_results: dict[str, bytes] = {}
        """Camera -> its last result among those that the broker has taken since newest_results()."""
        self._reader = Reader(folder)
        self._watermark = Watermark(folder)
        self._window = Window(self._watermark.row, config.window)
        self._hold = Hold()
        self._share = config.window
        self._recent: deque[tuple[int, Row]] = deque(maxlen=_REWIND_MAX_ROWS)
        """(CLOCK_MONOTONIC, row) of what this connection's broker acknowledged for the first time."""
        self._read_again_ns = 0
        self._read_problem: str | None = None
        self._write_problem: str | None = None
        self._speed = Speed()

        self.acknowledged = self._watermark.row
        """The broker has every row up to this one."""
        self.published_total = 0
        self.unheard_total = 0

    @property
    def refusal(self) -> str | None:
        """Why the broker does not take the next row; a sentence."""
        return self._hold.sentence

    @property
    def disk_problem(self) -> str | None:
        """Why rows cannot be read, or how far the broker has come cannot be written down; a sentence."""
        return self._read_problem or self._write_problem

    @property
    def is_held(self) -> bool:
        """Whether the broker has refused a row that it has not taken since."""
        return self._hold.row is not None

    @property
    def is_idle(self) -> bool:
        """Whether no row waits for its turn: all that were read are under way, and there is room for more."""
        return not self.is_held and self._window.under_way < self._window.size and self._window.next_to_send() is None

    def per_s(self) -> float:
        """Rows that the broker took in a second, over the last minute."""
        return self._speed.per_s()

    def hint(self, row: int) -> None:
        """There are rows up to this one."""
        if row > self._window.read_to and self._read_problem is None:
            self._read_again_ns = 0

    def patience_s(self, *, is_open: bool) -> float:
        """How long nothing may happen before there is something to do all the same."""
        now_ns = time.monotonic_ns()
        until_s = [_POLL_S]
        if is_open and self._hold.wait_s() > 0:
            until_s.append(self._hold.wait_s())
        elif is_open and self._wants_rows():
            until_s.append(max(0.0, (self._read_again_ns - now_ns) / 1e9))
        due_s = self._watermark.due_in_s()
        if due_s is not None:
            until_s.append(due_s)
        return min(until_s)

    def is_drained(self) -> bool:
        """The broker has everything that there is, or the rest cannot be read."""
        if self._window.waiting:
            return False
        try:
            return not self._reader.after(self._window.read_to, 1)
        except OutboxError:
            return True

    def next_to_send(self) -> Outgoing | None:
        """As Lane."""
        if self._hold.wait_s() > 0:
            return None
        row = self._window.next_to_send()
        if row is None:
            self._read_ahead()
            row = self._window.next_to_send()
        if row is None:
            return None
        return Outgoing(
            row, f"{self._config.base_topic}/{row.camera}/{row.topic}", row.payload, attributes=self._attributes(row)
        )

    def sent(self, message: Outgoing) -> None:
        """As Lane."""
        self._window.sent(_row(message))

    def received(self, message: Outgoing, *, nobody_listens: bool) -> None:
        """As Lane."""
        self.published_total += 1
        self.unheard_total += nobody_listens
        finished = self._window.received(_row(message).row)
        if not finished:
            return
        now_ns = time.monotonic_ns()
        self._speed.add(len(finished))
        for row in finished:
            if row.row > self.acknowledged:  # and not one that was sent again
                self._watermark.advance(row)
                self._recent.append((now_ns, row))
                self.acknowledged = row.row
                if row.topic == _RESULT_TOPIC:
                    self._newest_results[row.camera] = row.payload
        if self._hold.taken(self.acknowledged):
            _log.info("the MQTT broker takes results again")
            self._window.size = self._share

    def newest_results(self) -> dict[str, bytes]:
        """Camera -> the last of its results that the broker has taken since this was asked last."""
        found, self._newest_results = self._newest_results, {}
        return found

    def refused(self, message: Outgoing, sentence: str) -> None:
        """As Lane: it is not sent, and nothing may overtake it: wait, then try it alone."""
        self._window.refused(_row(message).row)
        self._hold.refused(_row(message).row, f"{sentence}; results wait on the disk")
        self._window.size = 1

    def start_again(self, window: int) -> None:
        """As Lane."""
        self._window.start_again()

    def suspect(self, message: Outgoing) -> Hashable | None:
        """As Lane: the first of those under way; the others would only follow it."""
        return _row(message).row if _row(message).row == self._window.first else None

    def opened(self, share: int) -> None:
        """A connection on which at most `share` rows may be under way."""
        self._share = share
        self._window.size = 1 if self.is_held else share

    def rewind(self, *, was_lost: bool) -> None:
        """The connection is over; where it was lost, the broker may have forgotten the last that it took."""
        if was_lost:
            since_ns = time.monotonic_ns() - int(_REWIND_S * 1e9)
            self._window.rewind(row for at_ns, row in self._recent if at_ns > since_ns)
        self._recent.clear()

    def write_watermark(self) -> None:
        """Write down how far the broker has come, where that is due."""
        if self._watermark.due_in_s() == 0:
            self._flush()

    def close(self) -> None:
        """Let go of everything; how far the broker has come is written down."""
        self._reader.close()
        self._flush()

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
            self._read_problem = said(str(error), self._read_problem)
            return
        self._watermark.damaged(None)
        self._read_problem = None
        self._window.add(rows)
        if rows:
            self._read_again_ns = 0  # there may be more

    def _attributes(self, row: Row) -> dict[str, str] | None:
        """CloudEvents 1.0 in binary mode: readers who do not know it do not see it."""
        if not self._config.cloudevents:
            return None
        number = f"{row.sequence}-{row.through}" if row.topic == GAP_TOPIC else f"{row.sequence}"
        return {
            "specversion": "1.0",
            "id": f"{row.stream}/{number}",  # a gap that takes a result's number is another event, and no duplicate
            "source": f"/{self._config.base_topic}/{row.camera}",
            "type": f"inspection.{row.topic}.v1",
        }

    def _flush(self) -> None:
        try:
            self._watermark.flush()
        except OutboxError as error:
            self._write_problem = said(str(error), self._write_problem)
        else:
            self._write_problem = None


def said(problem: str, before: str | None) -> str:
    """Log it, if it is not the one that was there before."""
    if problem != before:
        _log.error("%s", problem)
    return problem


def _row(message: Outgoing) -> Row:
    if not isinstance(message.key, Row):
        msg = f"{message.key!r} is no row"
        raise TypeError(msg)
    return message.key
