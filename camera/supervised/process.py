"""The driver's process, seen from its parent: asked, waited for, killed where it hangs."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, Final

from camera.errors import CameraError, CameraLost
from camera.supervised import memory
from camera.supervised.wire import Raised, Request, receive_answer, send_request

PROGRAM: Final = (sys.executable, "-m", "camera.supervised")
_GRACE_S: Final = {"make": 15.0, "open": 30.0, "start": 10.0, "trigger": 3.0, "read": 1.0, "counters": 3.0, "stop": 5.0}
"""A call that takes so much longer than its timeout has hung. (A GigE camera that is gone shows after 2.5 seconds.)"""
_CLOSE_S: Final = 2.0
_END_S: Final = 2.0


class DriverProcess:
    """One life of one driver's process.

    Threads: ask() on the camera's; release() and end() on any.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Starts it. Raises: OSError where no process can be started."""
        self._requests, their_requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._closing, their_closing = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()  # guards _is_over and the closing of what is below
        self._reaping = threading.Lock()  # held by who ends its process
        self._is_over = False
        self._number = 0
        numbers = [str(theirs.fileno()) for theirs in (their_requests, their_closing)]
        with ExitStack() as unless_started, their_requests, their_closing:
            unless_started.callback(self._requests.close)
            unless_started.callback(self._closing.close)
            self._process = subprocess.Popen(
                [*PROGRAM, *numbers],
                pass_fds=[their_requests.fileno(), their_closing.fileno()],
                stdin=subprocess.DEVNULL,
                # Ctrl-C is for the line, which then ends this; and what the driver starts is ended with it.
                start_new_session=True,
            )
            unless_started.pop_all()
        self._ended = os.pidfd_open(self._process.pid)
        self._released = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing.settimeout(_CLOSE_S)
        self._settings = dict(settings)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """It runs and may be asked."""
        return not self._is_over and not self._has_ended()

    def make(self) -> None:
        """Wait until it is up and has its settings. Raises: CameraLost."""
        self.ask("make", settings=self._settings)

    def ask(
        self, call: str, *, timeout_s: float = 0.0, slot: int | None = None, settings: dict[str, Any] | None = None
    ) -> tuple[Any, list[int]]:
        """Have it make a call of the camera, and wait for the answer: value and file descriptors.

        Raises: what the call raises; CameraLost where the process died, hung (it is killed) or release() came.
        """
        self._number += 1
        deadline = time.monotonic() + timeout_s + _GRACE_S[call]
        try:
            send_request(self._requests, Request(self._number, call, timeout_s, slot, settings))
            while True:
                self._await(call, deadline)
                try:
                    number, value, fds = receive_answer(self._requests)
                except Raised as raised:
                    if raised.number == self._number:
                        raise raised.error from None
                    continue
                if number == self._number:
                    return value, fds
                for fd in fds:
                    os.close(fd)
        except CameraError:  # among them CameraTimeout, which is an OSError too
            raise
        except (TypeError, ValueError) as error:
            self.end(0.0)
            raise CameraLost(f"the camera's driver answered nonsense ({error!r}) and was ended") from error
        except (EOFError, OSError) as error:
            raise CameraLost(f"the camera's driver ended: {self.end()}; it is started again") from error

    def release(self) -> None:
        """Let go of the camera now, also while a read() waits, which then raises CameraLost.

        At most 2 seconds, for a driver that hangs.
        """
        with self._lock:
            if self._is_over:
                return
            os.eventfd_write(self._released, 1)
            with suppress(OSError):  # dead, or hung: the next ask() finds out and says so
                self._closing.send(b"c")
                self._closing.recv(1)

    def hold(self) -> None:
        """The camera is to be used again after release()."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._released)

    def end(self, grace_s: float = _END_S) -> str:
        """End it, by force where it does not within `grace_s`. Returns how it ended."""
        with self._lock:
            if not self._is_over:
                self._is_over = True
                self._closing.close()
                self._requests.close()
                os.close(self._released)
        with self._reaping:
            self._has_ended(grace_s)
            if self._process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):  # there is nothing left of it
                    os.killpg(self._process.pid, signal.SIGKILL)  # it, and what it has started
            code = self._process.wait()
            if self._ended >= 0:
                os.close(self._ended)
                self._ended = -1
        if code == memory.EXIT_CODE:
            return f"its memory grew beyond {memory.limit_bytes() >> 20} MiB"
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def _has_ended(self, within_s: float = 0.0) -> bool:
        """It has, or does so in time. It is left a zombie, so that nobody else gets its number meanwhile."""
        if self._process.returncode is not None or self._ended < 0:
            return True
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        return bool(poll.poll(within_s * 1e3))

    def _await(self, call: str, deadline: float) -> None:
        """Until an answer can be read."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._released, select.POLLIN)
        poll.register(self._ended, select.POLLIN)
        ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1e3))
        if not ready:
            self.end(0.0)
            raise CameraLost(f"the camera's driver hangs in {call}() and was ended; it is started again")
        if self._released in ready:
            raise CameraLost("the camera was closed")
        if self._requests.fileno() not in ready:
            raise EOFError  # dead, though something that it started keeps the socket open
