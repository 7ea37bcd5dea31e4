"""The other end of a control socket: the gateway's, or the command line's."""

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.steering import wire
from appliance.steering.document import Document
from appliance.steering.errors import SocketFailed
from appliance.steering.requests import Answer, Request
from appliance.steering.sides import DELIVERY, Side

_log = logging.getLogger(__name__)

AWAY: Final = DELIVERY.away
_RETRY_S: Final = (0.2, 5.0)
"""First and longest wait before the next attempt to watch."""
_CONNECT_S: Final = 2.0
_NEVER_S: Final = 3.0e7


class ControlClient:
    """Any thread may ask; one thread watches. A process that is away is an answer, not an exception."""

    def __init__(self, path: Path, side: Side = DELIVERY) -> None:
        """`path`: the socket of `side`; it need not be there yet."""
        self._path = path
        self._side = side
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._watching: socket.socket | None = None  # guarded by _lock

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """Ask once, on a connection of its own; 503 with a sentence where nobody answers within `timeout_s`."""
        until_s = time.monotonic() + timeout_s
        try:
            with wire.connect(self._path, timeout_s) as connection:
                wire.send(connection, request.as_json(), timeout_s)
                return self._answer(wire.Lines(connection, wire.ANSWER_MAX_BYTES).next(until_s))
        except TimeoutError:
            side = self._side
            return Answer.refusal(503, f"{side.name} gave no answer within {timeout_s:g} s; {side.unsure}.")
        except SocketFailed as error:
            return Answer.refusal(503, str(error))
        except PermissionError:
            return Answer.refusal(503, f"{self._path} is for the appliance's user and group only; ask as one of them.")
        except OSError:
            return Answer.refusal(503, self._side.away)

    def watch(self, took: Callable[[Document], None], lost: Callable[[str], None]) -> None:
        """Until close(), as a thread's body: `took` gets each document, `lost` a sentence when there are none."""
        wait_s = _RETRY_S[0]
        while not self._closing.is_set():
            try:
                if self._watch_once(took):
                    wait_s = _RETRY_S[0]
            except OSError:
                pass  # it is away, and lost() says so
            except SocketFailed as error:
                _log.warning("%s", error)
            if self._closing.is_set():
                return
            lost(self._side.away)
            self._closing.wait(wait_s * random.uniform(0.7, 1.3))  # noqa: S311 - not a secret
            wait_s = min(wait_s * 2, _RETRY_S[1])

    def close(self) -> None:
        """End watch(); from any thread."""
        self._closing.set()
        with self._lock:
            if self._watching is not None:
                with contextlib.suppress(OSError):
                    self._watching.shutdown(socket.SHUT_RDWR)

    def _watch_once(self, took: Callable[[Document], None]) -> bool:
        """Until the other side is gone; whether it said anything."""
        has_heard = False
        with wire.connect(self._path, _CONNECT_S) as connection:
            with self._lock:
                self._watching = connection
            try:
                wire.send(connection, {"watch": True}, _CONNECT_S)
                lines = wire.Lines(connection, wire.ANSWER_MAX_BYTES)
                while not self._closing.is_set():
                    said = lines.next(time.monotonic() + _NEVER_S)
                    if not isinstance(said, dict) or not isinstance(said.get("document"), dict):
                        return has_heard
                    _pass_on(said["document"], took)
                    has_heard = True
            finally:
                with self._lock:
                    self._watching = None
        return has_heard

    def _answer(self, line: Any) -> Answer:
        if line is None:
            return Answer.refusal(503, self._side.away)
        try:
            return Answer(int(line["status"]), dict(line["body"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SocketFailed(f"{self._side.whose} answer cannot be read.") from error


def _pass_on(document: Document, took: Callable[[Document], None]) -> None:
    try:
        took(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SocketFailed(f"The delivery process' document cannot be read ({error!r}).") from error
