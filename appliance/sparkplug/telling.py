"""Joins the node with its connection, and with the parts that were recorded: the work of the view's thread."""

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from appliance.mqtt.connection import Closed, Event, Granted, Opened, Receipt, Received
from appliance.outbox.errors import OutboxError
from appliance.sparkplug.codec import Value
from appliance.sparkplug.follower import Follower, Part
from appliance.sparkplug.metrics import part_ms, part_values
from appliance.sparkplug.node import DeviceNews, Leave, Moment, Node, Output, Say, Subscribe
from appliance.sparkplug.session import Session
from appliance.sparkplug.states import State

_LOOK_S: Final = 1.0
"""Without a hint, parts are looked for this often; and the node's own values are told this often at most."""
_UNWRITTEN_MAX: Final = 100
"""Messages that the connection has yet to take, before parts wait where they are: on the disk."""
_SETTLED_S: Final = 10.0
_UNBORN: Final = frozenset({State.SUBSCRIBING, State.WAITING})


@dataclass(frozen=True, slots=True)
class Report:
    """The box at one moment."""

    values: Mapping[str, Value]
    devices: Mapping[str, DeviceNews]


class Telling:
    """One thread makes all calls; problem() is for any."""

    def __init__(self, node: Node, session: Session, follower: Follower, unsure_s: float) -> None:
        """`unsure_s`: what was told so shortly before a connection broke, or the host went, is told again."""
        self._node = node
        self._unsure_s = unsure_s
        self._session = session
        self._follower = follower
        self._values: Mapping[str, Value] = {}
        self._values_due_s = float("-inf")
        self._look_due_s = float("-inf")
        self._unwritten: set[int] = set()
        self._historic_through = 0
        """Rows that were recorded before the births of this session."""
        self._opened_s = 0.0
        self._outbox_problem: str | None = None
        self._refused: str | None = None

    def problem(self) -> str | None:
        """Why parts are not told as they are recorded; None where they are, or the primary host is not there."""
        return self._session.problem() or self._refused or self._outbox_problem

    @property
    def is_done(self) -> bool:
        """Nothing is there that could be told now."""
        return not self._node.is_live or not self._follower.is_behind

    def begin(self) -> bool:
        """Parts are told from here on. False where the outbox cannot be read yet: try again."""
        try:
            self._follower.start()
        except OutboxError as error:
            self._outbox_problem = str(error)
            return False
        self._outbox_problem = None
        return True

    def step(self, report: Report | None, newest_row: int, wake: socket.socket) -> None:
        """Do what there is to do; wait for at most a second, for events or `wake`.

        Args:
            report: the box as it is, where it said so since the last call.
            newest_row: the line has recorded rows up to this one, as far as is known.
            wake: a socket that becomes readable when there is something to do.
        """
        self._follower.hint(newest_row)
        now = moment()
        if report is not None:
            self._values = report.values
        is_due = bool(self._values) and now.monotonic_s >= self._values_due_s
        if is_due or report is not None:
            self._do(self._node.report(self._values if is_due else {}, {} if report is None else report.devices, now))
        if is_due:
            self._values, self._values_due_s = {}, now.monotonic_s + _LOOK_S
        self._tell(now)
        has_more = self._node.is_live and self._follower.is_behind and self._has_room
        timeout_s = 0.0 if has_more else max(0.0, min(_LOOK_S, self._node.wait_s(now)))
        for event in self._session.serve(timeout_s, wake):
            self._take(event)
        self._do(self._node.tick(moment()))

    def say_goodbye(self) -> None:
        """NDEATH, and the end of the connection."""
        self._do(self._node.leave(moment()))
        self.close()

    def close(self) -> None:
        """Let go of connection and files; may be called twice."""
        self._session.close()
        self._follower.close()

    @property
    def _has_room(self) -> bool:
        return len(self._unwritten) < _UNWRITTEN_MAX

    def _tell(self, now: Moment) -> None:
        """What was recorded since; some of it, so that commands are heard in between."""
        if not self._node.is_live or not self._has_room:
            return
        if now.monotonic_s - self._opened_s > _SETTLED_S:
            self._session.settled()
        if not self._follower.is_behind and now.monotonic_s < self._look_due_s:
            return
        self._look_due_s = now.monotonic_s + _LOOK_S
        try:
            for part in self._follower.next(now.monotonic_s):
                self._do(self._say(part, now))
        except OutboxError as error:
            self._outbox_problem = str(error)
        else:
            self._outbox_problem = None

    def _say(self, part: Part, now: Moment) -> list[Output]:
        at_ms = part_ms(part.result)
        return self._node.part(
            part.camera,
            part_values(part.result),
            now.utc_ms if at_ms is None else at_ms,
            now,
            is_historical=part.row <= self._historic_through,
        )

    def _take(self, event: Event) -> None:
        now = moment()
        if isinstance(event, Granted | Received) and self._node.state in _UNBORN:
            self._prepare_birth(now)
        match event:
            case Opened():
                self._opened_s = now.monotonic_s
                self._do(self._node.opened(self._session.number, self._session.server, now))
            case Granted(refused):
                self._refused = self._sentence(refused) if refused else None
                self._do(self._node.granted(now))
            case Received(topic=topic, payload=payload):
                self._do(self._node.received(topic, payload, now))
            case Receipt(number):
                self._unwritten.discard(number)
            case Closed():
                self._node.closed(now)
                self._break_off()

    def _prepare_birth(self, now: Moment) -> None:
        """Births tell the newest part of each camera; what was missed is told behind them."""
        try:
            self._follower.look()
            newest = {part.camera: part for part in self._follower.tail()}
        except OutboxError as error:
            self._outbox_problem = str(error)
            return
        self._follower.skip()
        self._historic_through = self._follower.newest
        for camera, part in newest.items():
            self._node.remember(camera, part_values(part.result), part_ms(part.result) or now.utc_ms)

    def _do(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Leave():
                    self._session.leave()
                    self._break_off()
                case Subscribe(topics) if self._session.is_open:
                    self._session.subscribe(topics)
                case Say(topic, payload, qos) if self._session.is_open:
                    self._unwritten.add(self._session.publish(topic, payload, qos))
                case _:
                    pass  # the connection has just ended; the node hears of it with the next event

    def _break_off(self) -> None:
        self._unwritten.clear()
        self._follower.rewind(time.monotonic() - self._unsure_s)

    def _sentence(self, refused: Iterable[str]) -> str:
        return (
            f"The MQTT broker {self._session.server} does not let us read {', '.join(refused)}, which Sparkplug needs:"
            " add it to the broker's access list"
        )


def moment() -> Moment:
    """Now."""
    return Moment(time.time_ns() // 1_000_000, time.monotonic())
