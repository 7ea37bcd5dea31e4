"""Where MQTT messages are dealt with: one thread takes them in turn, asks the process whose they are, and answers.

The gateway has two: what is meant for the line never waits behind what the delivery process takes long for.
"""

import json
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from typing import Any, Final

from appliance.steering.errors import BadRequest
from appliance.steering.inbox import Mail, may_answer, read_command, read_wish
from appliance.steering.requests import Answer, Request

_log = logging.getLogger(__name__)

COMMANDS_MAX: Final = 64
WISHES_MAX: Final = 64
ASK_S: Final = 10.0
RETRY_S: Final = 5.0
_SAID_EVERY_S: Final = 10.0
_PLAIN: Final = (str, int, float, bool, type(None))


class Desk:
    """Threads: take() by any, and it never waits; start() and stop() by one."""

    def __init__(
        self,
        ask: Callable[[Request, float], Answer],
        reply: Callable[[str, bytes, bytes | None], None],
        *,
        models: Collection[str],
        commands: Collection[str],
        base_topic: str,
    ) -> None:
        """`reply` sends a payload to a topic, with correlation data; it must not wait. `commands`: those allowed."""
        self._ask = ask
        self._reply = reply
        self._models = models
        self._allowed = commands
        self._base_topic = base_topic
        self._changed = threading.Condition()
        # guarded by _changed:
        self._commands: deque[Mail] = deque()
        self._wishes: OrderedDict[str, tuple[float, Mail]] = OrderedDict()
        """Topic -> when to deal with its newest message (monotonic clock), and that."""
        self._dropped = 0
        self._say_dropped_s = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="mqtt-desk", daemon=True)

    def start(self) -> None:
        """Deal with messages from now on."""
        self._thread.start()

    def stop(self) -> None:
        """What is left is left: wishes come again, and who sent a command got no answer."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(ASK_S + 1.0)

    def take(self, mail: Mail) -> None:
        """A message came. Of wishes the newest of each topic counts; more than 64 commands are dropped, and said."""
        with self._changed:
            if mail.is_wish:
                if mail.topic in self._wishes or len(self._wishes) < WISHES_MAX:
                    self._wishes[mail.topic] = (0.0, mail)
            elif len(self._commands) < COMMANDS_MAX:
                self._commands.append(mail)
            else:
                self._drop_locked(mail)
            self._changed.notify_all()

    def _drop_locked(self, mail: Mail) -> None:
        """A flood is said, and does not flood the journal."""
        self._dropped += 1
        if mail.came_s >= self._say_dropped_s:
            self._say_dropped_s = mail.came_s + _SAID_EVERY_S
            dropped = "one" if self._dropped == 1 else f"{self._dropped} since the start, the newest"
            _log.error("More than %d commands wait; %s on %s is dropped.", COMMANDS_MAX, dropped, mail.topic)

    def _run(self) -> None:
        while (mail := self._next()) is not None:
            if mail.is_wish:
                self._wish(mail)
            else:
                self._answer(mail, *self._command(mail))

    def _next(self) -> Mail | None:
        """The message whose turn it is; None at the end."""
        with self._changed:
            while not self._stopping:
                if self._commands:
                    return self._commands.popleft()
                now_s = time.monotonic()
                for topic, (due_s, mail) in self._wishes.items():
                    if due_s <= now_s:
                        del self._wishes[topic]
                        return mail
                next_s = min((due_s for due_s, _ in self._wishes.values()), default=None)
                self._changed.wait(None if next_s is None else next_s - now_s)
            return None

    def _wish(self, mail: Mail) -> None:
        request = None
        try:
            request = read_wish(mail, self._models)
        except BadRequest as error:
            answer = Answer.refusal(422, str(error))
        else:
            answer = self._ask(request, ASK_S)
        if answer.status == 503 and self._put_back(mail):
            return
        if answer.status >= 400:
            _log.warning("The wish on %s is not taken: %s", mail.topic, answer.body.get("error"))
        self._answer(mail, request, answer)

    def _put_back(self, mail: Mail) -> bool:
        """Try again later, and whether that is so: a wish stands until it is taken, or another is in its place."""
        with self._changed:
            self._wishes.setdefault(mail.topic, (time.monotonic() + RETRY_S, mail))
            return not self._stopping

    def _command(self, mail: Mail) -> tuple[Request | None, Answer]:
        try:
            request = read_command(mail, self._models, self._allowed)
        except BadRequest as error:
            _log.warning("A command on %s is refused: %s", mail.topic, error)
            return None, Answer.refusal(422, str(error))
        return request, self._ask(request, ASK_S)

    def _answer(self, mail: Mail, request: Request | None, answer: Answer) -> None:
        """On the topic that the message names, if it does (MQTT 5)."""
        if mail.response_topic is None:
            return
        if not may_answer(mail.response_topic, self._base_topic):
            _log.warning("A message on %s wants its answer on %r: not there.", mail.topic, mail.response_topic[:80])
            return
        value: dict[str, Any] = {
            "schema_version": 1,
            "status": answer.status,
            "request_id": None if request is None else request.key,
            "verb": None if request is None else request.verb.value,
            "error": None,
        }
        value |= {name: one for name, one in answer.body.items() if isinstance(one, _PLAIN)}
        self._reply(mail.response_topic, json.dumps(value, separators=(",", ":")).encode(), mail.correlation)
