"""Starts a Python module in a process of its own and waits for its end, which always comes."""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).resolve().parents[2]
_TAIL_BYTES = 2_000
_CHATTER = re.compile(r"[IW]\d{4} |INFO: |WARNING: All log messages before absl")
"""What the libraries say in passing: never why a process ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    """Its exit status; negative: the signal that killed it."""
    out: str
    """The last 2,000 bytes of what it printed."""
    err: str
    timed_out: bool

    @property
    def how(self) -> str:
        """In words, with what it said last."""
        said = [line.strip() for line in self.err.splitlines() if line.strip() and not _CHATTER.match(line)][-1:] or [
            ""
        ]
        if self.timed_out:
            return "it took too long"
        if self.code < 0:
            what = signal.strsignal(-self.code) or "an unknown signal"
            return f"it was ended by signal {-self.code} ({what})" + (f" after saying: {said[0]}" if said[0] else "")
        return said[0] or f"exit status {self.code}"


class Child:
    """One process group. Threads: wait() on one; kill() on any."""

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start `python -m module arguments`. Raises: OSError."""
        self._lock = threading.Lock()
        self._reaped = False  # guarded by _lock
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed in wait()
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            cwd="/",
            env={**os.environ, **(environment or {}), "PYTHONPATH": path},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> Ended:
        """Wait for its end; after `timeout_s` it is made to end. Nothing that it started outlives it. Call it once."""
        with _closing(os.pidfd_open(self._process.pid)) as process:
            waiter = select.poll()
            waiter.register(process, select.POLLIN)
            timed_out = not waiter.poll(timeout_s * 1000)
        self.kill()  # before it is reaped: afterwards the number may be somebody else's
        with self._lock:
            code = self._process.wait()
            self._reaped = True
        with self._out, self._err:
            return Ended(code, _tail(self._out), _tail(self._err), timed_out)

    def kill(self) -> None:
        """End it and all it started, at once; does nothing where it has ended."""
        with self._lock:
            if not self._reaped:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read().decode(errors="replace")
