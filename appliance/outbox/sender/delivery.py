"""Who sends what when: the publisher's work without its thread."""

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import Closed, End, Event, Granted, Leaving, Opened, Receipt, Received
from appliance.mqtt.link import Link
from appliance.mqtt.topics import AVAILABILITY, OFFLINE, ONLINE
from appliance.outbox.sender.delivery_states import SENDS, Happened, Kind, State, after
from appliance.outbox.sender.live import LiveRows, said
from appliance.outbox.sender.replaying import Replays
from appliance.outbox.sender.sending import Lane, Note, Notes, Outgoing, Repeated
from appliance.outbox.sender.standing import Standing
from appliance.outbox.sender.suspects import Suspects

_LAST_TOPIC: Final = "last"
_STALLED_S: Final = 30.0
"""A broker that answers nothing for so long has forgotten us, whatever the connection looks like."""
_FAREWELL_S: Final = 2.0
_CUT_OFF_S: Final = 5.0
"""A connection that ends so soon after something was sent may have ended for it."""
_CAREFUL_S: Final = 60.0
_PROPERTIES_MAX_BYTES: Final = 1024
_CONNECTED: Final = frozenset({State.OPEN, State.HELD, State.LEAVING})


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
        replays: Replays | None = None,
    ) -> None:
        """`topics`: whole ones, to subscribe to at each connect; `on_received` gets what comes on them."""
        self._config = config
        self._link = link
        self._on_acknowledged = on_acknowledged
        self._topics = topics
        self._on_received = on_received
        self._availability = f"{config.base_topic}/{AVAILABILITY}"
        self._state = State.AWAY
        self._unread: str | None = None
        """Which of `topics` the broker does not let us read; a sentence."""
        self.rows = LiveRows(folder, config)
        self._standing = Standing(self._availability)
        self._notes = Notes()
        self._lanes: dict[Kind, Lane] = {Kind.RETAINED: self._standing, Kind.NOTES: self._notes, Kind.ROWS: self.rows}
        if replays is not None:
            self._lanes[Kind.REPLAYS] = Repeated(replays)
        self._told = self.rows.acknowledged
        self._window_max = config.window
        self._packet_max_bytes: int | None = None
        self._under_way: dict[int, tuple[Lane, Outgoing]] = {}
        """By the number that the receipt will carry."""
        self._suspects = Suspects()
        self._opened_ns = 0
        self._sent_ns = 0
        self._answered_ns = 0
        self.refused_total = 0

    @property
    def under_way(self) -> int:
        """Messages sent whose receipt is not there yet."""
        return len(self._under_way)

    def problem(self) -> str | None:
        """Why results do not flow, or not all that should; a sentence, or two."""
        first = self._link.problem() or self.rows.disk_problem
        refusal = self.rows.refusal or self._standing.refusal or self._unread
        return f"{first}. Before that: {refusal}" if first and refusal else first or refusal

    def put(self, topic: str, payload: bytes) -> None:
        """Make this the newest of a retained topic, the whole one."""
        self._standing.put(topic, payload)

    def send(self, note: Note) -> None:
        """Send it once, as soon as there is a connection; of more than 256 that wait, the oldest are dropped."""
        self._notes.put(note)

    def step(self, wake: socket.socket) -> None:
        """Send what may be sent, then wait for what comes back, at most a second or until `wake` is readable."""
        self._send_all()
        for event in self._link.serve(self.rows.patience_s(is_open=self._state in _CONNECTED), wake):
            self._handle(event)
        self._tell()
        self._give_up_if_stalled()
        self.rows.write_watermark()

    def is_drained(self) -> bool:
        """The broker has everything that there is, or the rest cannot be read."""
        return not self._notes and self._standing.is_settled and self.rows.is_drained()

    def say_goodbye(self, wake: socket.socket) -> None:
        """Tell that we are offline, wait for the broker to know it, and part from it; some seconds at most."""
        until_ns = time.monotonic_ns() + int(_FAREWELL_S * 1e9)
        self._standing.put(self._availability, OFFLINE)
        self._change(Happened.LEAVE)
        while self._state is State.LEAVING and not self._standing.is_settled and time.monotonic_ns() < until_ns:
            self._send_all()
            for event in self._link.serve(0.1, wake):
                self._handle(event)
        self._tell()
        self._link.close(Leaving.POLITELY if self._standing.is_settled else Leaving.AT_ONCE)
        self._change(Happened.END)

    def close(self) -> None:
        """Let go of everything; how far the broker has come is written down. Without a good-bye, our will says it."""
        self._change(Happened.END)
        self._link.close(Leaving.AT_ONCE)
        self.rows.close()

    def _change(self, happened: Happened) -> None:
        self._state = after(self._state, happened)

    def _room(self) -> int:
        return (1 if self._suspects.is_careful else self._window_max) - len(self._under_way)

    def _send_all(self) -> None:
        kinds = SENDS[self._state]
        if not kinds or self._link.is_parting:
            return
        for kind in kinds:
            lane = self._lanes.get(kind)
            if lane is not None and self._may_begin(kind):
                self._send_lane(lane)

    def _may_begin(self, kind: Kind) -> bool:
        return kind is not Kind.REPLAYS or self.rows.is_idle

    def _send_lane(self, lane: Lane) -> None:
        share = self._retained_share()
        while self._room() > 0:
            if lane is self._standing and self._standing.under_way >= share:
                return  # a share of the window is theirs, so that `health` does not wait for the end of a backlog
            message = lane.next_to_send()
            if message is None:
                return
            self._send(lane, message)

    def _send(self, lane: Lane, message: Outgoing) -> None:
        limit = self._packet_max_bytes
        if limit is not None and len(message.payload) + _PROPERTIES_MAX_BYTES > limit:
            self._left(lane, message, self._too_long(message))
            return
        try:
            number = self._link.publish(
                message.topic,
                message.payload,
                retain=message.retain,
                content_type=message.content_type,
                attributes=message.attributes,
                correlation=message.correlation,
            )
        except ValueError as error:  # somebody else may have named it
            self._left(lane, message, f"{message.topic[:80]!r} is no topic that can be written to ({error})")
            return
        lane.sent(message)
        self._sent_ns = time.monotonic_ns()
        if not self._under_way:
            self._answered_ns = self._sent_ns  # the broker's time to answer begins now
        self._under_way[number] = (lane, message)

    def _handle(self, event: Event) -> None:
        match event:
            case Receipt():
                self._take_receipt(event)
            case Opened():
                self._opened(event)
            case Granted():
                self._take_grant(event)
            case Received():
                self._on_received(event)
            case Closed(end):
                self._closed(end)

    def _opened(self, opened: Opened) -> None:
        self._opened_ns = time.monotonic_ns()
        self._window_max = min(self._config.window, opened.receive_maximum)
        self._packet_max_bytes = opened.packet_max_bytes
        self._standing.put(self._availability, ONLINE)
        self._start_again()
        self.rows.opened(max(1, self._window_max - self._retained_share()))
        self._change(Happened.CAME_HELD if self.rows.is_held else Happened.CAME)
        if self._topics:
            self._link.subscribe(self._topics)

    def _closed(self, end: End) -> None:
        if end is End.LOST:
            self._suspect()
        self.rows.rewind(was_lost=end is End.LOST)
        self._start_again()
        self._change(Happened.LOST)

    def _start_again(self) -> None:
        """Nothing is under way any more; what has no receipt is sent anew, in order."""
        self._under_way.clear()
        for lane in self._lanes.values():
            lane.start_again(self._window_max)

    def _suspect(self) -> None:
        """What ends connections again and again is taken for refused, though the broker does not say so."""
        if not self._under_way or time.monotonic_ns() - self._sent_ns > _CUT_OFF_S * 1e9:
            return
        known = {lane.suspect(message): (lane, message) for lane, message in self._under_way.values()}
        known.pop(None, None)
        culprit = self._suspects.cut_off(known)
        if culprit is not None:
            lane, message = known[culprit]
            self._link.explain_cut_off()
            self._refused(lane, message, "it ends the connection without an answer")

    def _take_receipt(self, receipt: Receipt) -> None:
        lane, message = self._under_way.pop(receipt.message_id, (None, None))
        self._answered_ns = time.monotonic_ns()
        if lane is None or message is None:
            return
        if self._suspects:
            self._suspects.cleared(lane.suspect(message))
        if receipt.refusal is not None:
            self._refused(lane, message, receipt.refusal)
            return
        lane.received(message, nobody_listens=receipt.nobody_listens)
        if self._state is State.HELD and not self.rows.is_held:
            self._change(Happened.TAKEN)

    def _refused(self, lane: Lane, message: Outgoing, reason: str) -> None:
        self.refused_total += 1
        who = self._config.username or "this client"
        self._left(
            lane, message, f"The MQTT broker refuses messages on {message.topic} ({reason}): allow {who} to write there"
        )

    def _left(self, lane: Lane, message: Outgoing, sentence: str) -> None:
        lane.refused(message, sentence)
        if lane is self.rows:
            self._change(Happened.REFUSED)

    def _too_long(self, message: Outgoing) -> str:
        return (
            f"The MQTT broker takes messages of at most {self._packet_max_bytes} bytes, and there is one of"
            f" {len(message.payload)} bytes and its headers: raise its max_packet_size"
        )

    def _take_grant(self, granted: Granted) -> None:
        if not granted.refused:
            self._unread = None
            return
        who = self._config.username or "this client"
        self._unread = said(
            f"The MQTT broker does not let us read {', '.join(granted.refused)}: allow {who} to read there, or"
            " take what reads there out of the settings",
            self._unread,
        )

    def _give_up_if_stalled(self) -> None:
        now_ns = time.monotonic_ns()
        if self._under_way and now_ns - self._answered_ns > _STALLED_S * 1e9:
            problem = f"The MQTT broker has answered nothing for {_STALLED_S:.0f} s: connecting again"
            self._handle(self._link.give_up(problem))
        elif self._suspects and self._state in _CONNECTED and now_ns - self._opened_ns > _CAREFUL_S * 1e9:
            self._suspects.settled()

    def _retained_share(self) -> int:
        return max(1, self._window_max // 10)

    def _tell(self) -> None:
        """Once for all receipts that came together: each telling wakes another process."""
        for camera, payload in self.rows.newest_results().items():
            self._standing.put(f"{self._config.base_topic}/{camera}/{_LAST_TOPIC}", payload)
        if self.rows.acknowledged > self._told:
            self._told = self.rows.acknowledged
            self._on_acknowledged(self._told)
