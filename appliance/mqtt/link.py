"""Keeps a connection to the broker: makes it, notices its end, and makes the next one after a while."""

import logging
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

from appliance.backoff import Backoff
from appliance.errors import ApplianceError, ConfigError
from appliance.mqtt.certificate import end_of
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.connection import (
    Closed,
    Connection,
    End,
    Event,
    Granted,
    Leaving,
    Opened,
    Receipt,
    Received,
    Will,
)
from appliance.mqtt.renewal import Secrets

_log = logging.getLogger(__name__)

_RETRY_FIRST_S: Final = 1.0
_RETRY_LAST_S: Final = 15.0
_JITTER: Final = 0.3
_SETTLED_S: Final = 10.0
"""A connection that lasted this long was a good one: the next attempt after it comes soon."""
_ANSWER_S: Final = 10.0
"""For the broker to let us in once its port is open."""
_TAKEOVER_SHOWN_S: Final = 120.0
"""Two boxes with one id take turns: each is connected half of the time, and the trouble stays."""
_REFUSED_S: Final = 60.0
"""A broker that refused a message so lately is cutting us off for that: some end the connection, and do not always get
their answer out before it."""
_LOOK_S: Final = 2.0
"""The files of password and certificates are looked at this often; a renewal counts when two looks found the same."""
_SETTLE_UP_S: Final = 5.0
"""For the broker to answer to what is under way, before we leave to come back."""
_ENDS_SOON: Final = timedelta(days=14)
_OLD_PROTOCOL: Final = (
    "MQTT 3.1.1 is configured: a message that the broker refuses looks like a delivered one there, so a missing"
    " permission loses results without a word; use protocol 5 where the broker has it"
)
_SHORT_LIVED_MAX: Final = 3
"""Connections in a row that ended at once, before that is called a take-over: many brokers do not say it."""


class Link:
    """One thread makes all calls; it is the only one that talks to the broker."""

    def __init__(
        self,
        config: MqttConfig,
        client_id: str,
        will: Callable[[], Will],
        *,
        renewing: Leaving = Leaving.POLITELY,
    ) -> None:
        """Nothing is done before serve().

        Args:
            config: where the broker is.
            client_id: how it knows us.
            will: asked before each attempt to connect; may raise ApplianceError: then there is no attempt.
            renewing: how a connection is left to come back with a renewed password or certificate.
        """
        self._config = config
        self._client_id = client_id
        self._will = will
        self._renewing = renewing
        self._secrets: Secrets | None = None
        self._look_ns = 0
        self._part_ns = 0
        self._renewal_problem: str | None = None
        self._warned: tuple[str, ...] = ()
        self._ends: dict[str, datetime] = {}
        """What certificate -> when it ends."""
        self._address = f"{config.host}:{config.port}"
        self._connection: Connection | None = None
        self._began_ns = 0
        self._backoff = Backoff(_RETRY_FIRST_S, _RETRY_LAST_S, jitter=_JITTER)
        self._next_attempt_ns = 0
        self._short_lived = 0
        self._refused_ns: int | None = None
        self._takeover: tuple[int, str] | None = None
        self._takeover_is_guessed = False
        self._problem: str | None = f"The MQTT broker {self._address} was not reached yet"
        self.is_parting = False
        """Nothing new is to be sent: we leave as soon as the broker has answered to everything, and come back."""
        self.is_open = False
        """The broker has let us in, and the connection was not seen to end."""
        self.since = datetime.now(timezone.utc)
        """When `is_open` changed last."""

    def problem(self) -> str | None:
        """Why nothing can be sent, or what makes the connection unsteady; None when all is well."""
        if self._takeover is not None and time.monotonic_ns() < self._takeover[0]:
            return self._takeover[1]
        return self._problem

    def notices(self) -> tuple[str, ...]:
        """What will be a problem: a sentence each. Any thread; microseconds."""
        found = [] if self._renewal_problem is None else [self._renewal_problem]
        now = datetime.now(timezone.utc)
        for what, end in tuple(self._ends.items()):
            if end < now + _ENDS_SOON:
                verb = "ends" if end > now else "has ended"
                found.append(f"{what} {verb} on {end:%Y-%m-%d %H:%M} UTC: renew it")
        return tuple(found)

    @property
    def remark(self) -> str | None:
        """What the operator has chosen and what it costs; nothing is the matter."""
        return _OLD_PROTOCOL if self._config.protocol == "3.1.1" else None

    def warn(self) -> None:
        """Log the remark and the notices that were not logged before."""
        now = (*((self.remark,) if self.remark else ()), *self.notices())
        for sentence in now:
            if sentence not in self._warned:
                _log.warning("%s", sentence)
        self._warned = now

    def serve(self, timeout_s: float, wake: socket.socket) -> list[Event]:
        """Send, receive, or make a connection, until something happened, `wake` is readable or the time is over.

        Making a connection takes as long as MqttConfig.connect_timeout_s allows.
        """
        if self._connection is None:
            wait_s = (self._next_attempt_ns - time.monotonic_ns()) / 1e9
            if wait_s > 0:
                _wait_for(wake, min(wait_s, timeout_s))
                return []
            self._connect()
        if self._connection is None:
            return []
        events = self._connection.serve(timeout_s, wake)
        for event in events:
            self._note(event)
        if self._is_ignored():
            closed = self.give_up(f"The MQTT broker {self._address} does not answer as one: check host and port")
            events.append(closed)
        if self.is_open and self._wants_to_part():
            events.append(self._part())
        return events

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        qos: int = 1,
        content_type: str | None = None,
        attributes: Mapping[str, str] | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Send on a whole topic; returns the number of its Receipt. Only while `is_open`.

        Raises: ValueError where the topic is none: somebody else may have named it.
        """
        if self._connection is None:
            msg = "publish() without a connection"
            raise RuntimeError(msg)
        return self._connection.publish(
            topic,
            payload,
            retain=retain,
            qos=qos,
            content_type=content_type,
            attributes=attributes,
            correlation=correlation,
        )

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for messages on these whole topics. Only while `is_open`."""
        if self._connection is None:
            msg = "subscribe() without a connection"
            raise RuntimeError(msg)
        self._connection.subscribe(topics)

    def give_up(self, problem: str) -> Closed:
        """End a connection that only looks alive."""
        closed = Closed(End.LOST, problem)
        self._note(closed)
        return closed

    def explain_cut_off(self) -> None:
        """The broker refuses a message, and may end connections for it: that is no take-over."""
        self._refused_ns = time.monotonic_ns()
        self._short_lived = 0
        if self._takeover_is_guessed:
            self._takeover = None

    def close(self, leaving: Leaving) -> None:
        """Leave for good."""
        if self._connection is not None:
            self._connection.close(leaving)
            self._connection = None
        self._set_open(is_open=False)

    def _connect(self) -> None:
        self._began_ns = time.monotonic_ns()
        self._secrets = Secrets(self._config)  # as they are before the connection reads them
        self._note_own_certificate()
        try:
            self._connection = Connection(self._config, self._client_id, self._will())
        except ApplianceError as error:
            self._short_lived, self._takeover = 0, None
            self._fail(str(error))

    def _note(self, event: Event) -> None:
        match event:
            case Opened():
                self._problem = None
                self._renewal_problem = None
                self._note_broker_certificate()
                self.warn()
                self._set_open(is_open=True)
                _log.info("connected to the MQTT broker %s as %s", self._address, self._client_id)
            case Closed(end, problem):
                if self._connection is not None:
                    self._connection.close(Leaving.AT_ONCE)
                    self._connection = None
                self._judge(end, problem)
                self._set_open(is_open=False)
                self._fail(problem)
            case Receipt(refusal=refusal):
                if refusal is not None:
                    self.explain_cut_off()
            case Granted() | Received():
                pass

    def _note_own_certificate(self) -> None:
        tls = self._config.tls
        end = None if tls is None or tls.certificate_file is None else end_of(tls.certificate_file)
        self._ends = (
            {} if end is None or tls is None else {f"This box's certificate for MQTT ({tls.certificate_file})": end}
        )

    def _note_broker_certificate(self) -> None:
        end = None if self._connection is None else self._connection.broker_certificate_end()
        if end is not None:
            self._ends = {**self._ends, f"The certificate of the MQTT broker {self._address}": end}

    def _wants_to_part(self) -> bool:
        """Whether to leave now, to come back with what was renewed. First what is under way is answered."""
        now_ns = time.monotonic_ns()
        if self.is_parting:
            return self._connection is not None and (self._connection.unanswered == 0 or now_ns > self._part_ns)
        if now_ns < self._look_ns or self._secrets is None:
            return False
        self._look_ns = now_ns + int(_LOOK_S * 1e9)
        try:
            self.is_parting = self._secrets.are_renewed()
        except ConfigError as error:
            self._renewal_problem = str(error)
            self.warn()
            return False
        self._renewal_problem = None
        self._part_ns = now_ns + int(_SETTLE_UP_S * 1e9)
        return False

    def _part(self) -> Closed:
        if self._connection is not None:
            self._connection.close(self._renewing)
            self._connection = None
        self._set_open(is_open=False)
        self._backoff.reset()
        self._next_attempt_ns = 0
        self._problem = f"The connection to the MQTT broker {self._address} is made anew: its secrets were renewed"
        _log.info("%s", self._problem)
        return Closed(End.RENEWED, self._problem)

    def _judge(self, end: End, problem: str) -> None:
        """Learn from how long it lasted."""
        settled = self._age_s() > _SETTLED_S
        if settled:
            self._backoff.reset()
        is_odd = self.is_open and not settled and not self._was_refused_lately()
        self._short_lived = self._short_lived + 1 if is_odd else 0
        is_told = end is End.TAKEN_OVER
        if not is_told and self._short_lived >= _SHORT_LIVED_MAX:
            end = End.TAKEN_OVER
            problem = (
                f"The MQTT broker {self._address} ends each connection soon after it began: probably a second box"
                f" has our client id {self._client_id}; delete the file client-id on one of them"
            )
        if end is End.TAKEN_OVER:
            self._takeover = (time.monotonic_ns() + int(_TAKEOVER_SHOWN_S * 1e9), problem)
            self._takeover_is_guessed = not is_told

    def _fail(self, problem: str) -> None:
        wait_s = self._backoff.next_s()
        if problem != self._problem:
            _log.warning("%s (next attempt in %.1f s)", problem, wait_s)
        self._problem = problem
        self._next_attempt_ns = time.monotonic_ns() + int(wait_s * 1e9)

    def _is_ignored(self) -> bool:
        return self._connection is not None and not self.is_open and self._age_s() > _ANSWER_S

    def _was_refused_lately(self) -> bool:
        return self._refused_ns is not None and time.monotonic_ns() - self._refused_ns < _REFUSED_S * 1e9

    def _set_open(self, *, is_open: bool) -> None:
        if is_open is not self.is_open:
            self.since = datetime.now(timezone.utc)
        self.is_open = is_open
        self.is_parting = False

    def _age_s(self) -> float:
        return (time.monotonic_ns() - self._began_ns) / 1e9


def _wait_for(wake: socket.socket, timeout_s: float) -> None:
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    poll.poll(int(timeout_s * 1000) + 1)
