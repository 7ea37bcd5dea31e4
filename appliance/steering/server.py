"""The end of a control socket where requests are answered, and watchers are told the newest document."""

import contextlib
import logging
import os
import pwd
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.errors import ApplianceError
from appliance.steering import wire
from appliance.steering.document import Document
from appliance.steering.errors import BadRequest, SocketFailed
from appliance.steering.pace import Pace
from appliance.steering.requests import Answer, Request
from appliance.steering.sides import DELIVERY, Side

_log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 16
_SLOW_S: Final = 5.0
"""For a request to arrive, or a document to be taken."""
_LOOK_S: Final = 1.0
"""A watcher that has gone is noticed within this."""


class ControlServer:
    """A Unix stream socket, mode 0660.

    Threads: one accepts, one serves each connection (at most 16); start() and stop() by one thread, tell() by any.
    `handle` is called on those threads, never two at once unless `together`; it should answer within a second. An
    ApplianceError that it raises becomes a 503 with its sentence, anything else a 500 and a trace in the log.
    """

    def __init__(
        self,
        path: Path,
        handle: Callable[[Request], Answer],
        side: Side = DELIVERY,
        *,
        together: bool = False,
        pace: Pace | None = None,
        enter: Callable[[], object] = lambda: None,
    ) -> None:
        """Nothing is opened before start(). `path` may be of any length.

        `together`: a request need not wait for the answer to the one before. `pace`: connections that come faster wait
        in the kernel until it is their turn. `enter` is called first on each of the threads: their priority.
        """
        self._path = path
        self._handle = handle
        self._side = side
        self._pace = pace
        self._enter = enter
        self._turn = threading.BoundedSemaphore(CONNECTIONS_MAX if together else 1)
        self._listening: socket.socket | None = None
        self._identity = (0, 0)
        self._accepting: threading.Thread | None = None
        self._changed = threading.Condition()
        # guarded by _changed:
        self._document: Document | None = None
        self._told = 0
        self._stopping = False
        self._serving: dict[threading.Thread, socket.socket] = {}

    def start(self) -> None:
        """Listen; a socket that another life has left there is replaced. Raises: SocketFailed."""
        self._listening, self._identity = wire.listen(self._path, self._side.without)
        self._accepting = threading.Thread(target=self._accept, name="control", daemon=True)
        self._accepting.start()

    def tell(self, document: Document) -> None:
        """Make this the newest document: watchers get it, and those to come. Never waits for anybody.

        A watcher that has not taken one for 5 s is dropped; documents that were overtaken are skipped.
        """
        with self._changed:
            self._document = document
            self._told += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Close everything, take the socket's name away; its threads have ended then, but for a handler that hangs."""
        if self._listening is None:
            return
        wire.remove(self._path, self._identity)
        with self._changed:
            self._stopping = True
            serving = dict(self._serving)
            self._changed.notify_all()
        _hang_up(self._listening)
        for connection in serving.values():
            _hang_up(connection)
        for thread in (self._accepting, *serving):
            if thread is not None:
                thread.join(_SLOW_S)
        self._listening.close()

    def _accept(self) -> None:
        assert self._listening is not None
        self._enter()
        while self._in_turn():
            try:
                connection, _ = self._listening.accept()
            except OSError as error:
                if self._is_stopping():
                    return
                _log.warning("A connection to the control socket failed: %s.", error)
                time.sleep(0.1)  # out of descriptors, most likely: it is no use to spin
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="control/peer", daemon=True)
            with self._changed:
                is_welcome = not self._stopping and len(self._serving) < CONNECTIONS_MAX
                if is_welcome:
                    self._serving[thread] = connection
            if is_welcome:
                thread.start()
            else:
                self._turn_away(connection)

    def _in_turn(self) -> bool:
        """Wait until the next connection may be taken; False where the server stops meanwhile."""
        wait_s = 0.0 if self._pace is None else self._pace.take(time.monotonic())
        with self._changed:
            return not (wait_s and self._changed.wait_for(lambda: self._stopping, wait_s))

    def _turn_away(self, connection: socket.socket) -> None:
        sentence = f"{self._side.name} serves {CONNECTIONS_MAX} connections already; try again."
        with connection, contextlib.suppress(OSError):
            wire.send(connection, _line(Answer.refusal(503, sentence)), 0.1)

    def _serve(self, connection: socket.socket) -> None:
        """A connection's thread: one request, or watching."""
        self._enter()
        try:
            with connection:
                asked = wire.Lines(connection, wire.REQUEST_MAX_BYTES).next(time.monotonic() + _SLOW_S)
                if isinstance(asked, dict) and "watch" in asked:
                    self._keep_telling(connection)
                elif asked is not None:
                    wire.send(connection, _line(self._answer(asked, wire.peer_uid(connection))), _SLOW_S)
        except SocketFailed as error:
            _log.warning("%s", error)
        except OSError:  # TimeoutError is one: it has gone, or does not keep up; it asks again
            return
        finally:
            with self._changed:
                self._serving.pop(threading.current_thread(), None)

    def _keep_telling(self, connection: socket.socket) -> None:
        told = 0
        while True:
            with self._changed:
                if self._told == told and not self._stopping:
                    self._changed.wait(_LOOK_S)
                if self._stopping:
                    return
                document, is_new, told = self._document, self._told > told, self._told
            if is_new and document is not None:
                wire.send(connection, {"document": document}, _SLOW_S)
            elif wire.is_closed(connection):
                return

    def _answer(self, asked: Any, uid: int) -> Answer:
        try:
            request = _with_peer(Request.from_json(asked), uid)
            self._check_verb(request)
            with self._turn:
                return self._handle(request)
        except BadRequest as error:
            return Answer.refusal(422, str(error))
        except ApplianceError as error:
            return Answer.refusal(503, str(error))
        except Exception:  # noqa: BLE001
            # The boundary to the handler: a fault in one answer must not end the process.
            _log.exception("%s could not answer a request by a fault of the software.", self._side.name)
            return Answer.refusal(500, "This failed by a fault of the software; its trace is in the journal.")

    def _check_verb(self, request: Request) -> None:
        if request.verb not in self._side.verbs:
            known = ", ".join(sorted(verb.value for verb in self._side.verbs))
            raise BadRequest(f"{self._side.name} is not asked for {request.verb.value}; it answers {known}.")

    def _is_stopping(self) -> bool:
        with self._changed:
            return self._stopping


def _with_peer(request: Request, uid: int) -> Request:
    """Our own user's processes (the gateway) say for whom they ask; anybody else is who the kernel says."""
    if uid == os.geteuid():
        return request
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    return Request(request.verb, request.model, request.body, f"user {name}", "control socket", request.key)


def _line(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "body": dict(answer.body)}


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
