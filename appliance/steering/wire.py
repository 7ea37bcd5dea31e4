"""The control socket's wire: lines of JSON over a Unix stream socket, each with a limit."""

import contextlib
import json
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.steering.errors import SocketFailed

REQUEST_MAX_BYTES: Final = 65_536
"""Longest line towards the process that is asked."""
ANSWER_MAX_BYTES: Final = 8_000_000
"""Longest line back: the document of 50 deployments with all their reports has some 200,000 bytes."""
_CREDENTIALS: Final = struct.Struct("3i")
_MODE: Final = 0o660


class Lines:
    """Reads lines from a socket; one thread. A line that is too long, or does not come, ends the connection."""

    def __init__(self, connection: socket.socket, limit: int) -> None:
        """`limit`: bytes of the longest line."""
        self._connection = connection
        self._limit = limit
        self._rest = bytearray()

    def next(self, until_s: float) -> Any:
        """The JSON of the next line, by `until_s` on the monotonic clock; None where the other side has closed.

        Raises: TimeoutError, SocketFailed (too long, or no JSON), OSError.
        """
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            if searched > self._limit:
                raise SocketFailed(f"A line on the control socket is longer than {self._limit} bytes.")
            self._connection.settimeout(_left(until_s))
            more = self._connection.recv(65_536)
            if not more:
                return None
            self._rest += more
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SocketFailed("A line on the control socket is no JSON.") from error


def send(connection: socket.socket, value: Mapping[str, Any], timeout_s: float) -> None:
    """One line. Raises: OSError; TimeoutError where the other side did not take it in time."""
    raw = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    until_s = time.monotonic() + timeout_s
    left = memoryview(raw)
    while left:  # sendall() would begin its time anew with each piece that is taken
        connection.settimeout(_left(until_s))
        left = left[connection.send(left) :]


def listen(path: Path, without: str = "nobody can steer by it") -> tuple[socket.socket, tuple[int, int]]:
    """A listening socket under that name, in the place of what another life has left there; and its (device, inode).

    `without`: what is not possible without it, for the error's sentence. Raises: SocketFailed.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _short(path.parent) as folder:
            new = folder / f".{path.name[:64]}.new"
            new.unlink(missing_ok=True)
            _only_a_socket(folder / path.name, path)
            listening.bind(str(new))
            new.chmod(_MODE)
            listening.listen(16)
            new.rename(folder / path.name)
            status = (folder / path.name).stat()
    except SocketFailed:
        listening.close()
        raise
    except OSError as error:
        listening.close()
        raise SocketFailed(
            f"The control socket {path} cannot be opened ({error.strerror or error}): {without}"
        ) from error
    return listening, (status.st_dev, status.st_ino)


def connect(path: Path, timeout_s: float) -> socket.socket:
    """Raises: OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.settimeout(timeout_s)
    try:
        with _short(path.parent) as folder:
            connection.connect(str(folder / path.name))
    except BaseException:
        connection.close()
        raise
    return connection


def remove(path: Path, identity: tuple[int, int]) -> None:
    """Take the name away, where it is still ours."""
    with contextlib.suppress(OSError):
        status = path.lstat()
        if (status.st_dev, status.st_ino) == identity:
            path.unlink()


def peer_uid(connection: socket.socket) -> int:
    """The user whose process is at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has gone, without waiting and without taking anything from the socket."""
    poll = select.poll()
    poll.register(connection, select.POLLIN | select.POLLHUP)
    if not poll.poll(0):
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """A short name of a folder: the kernel takes 107 bytes for a socket's, and state folders may be deep."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _only_a_socket(name: Path, path: Path) -> None:
    """Nothing else is replaced. Raises: SocketFailed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(name.lstat().st_mode):
            raise SocketFailed(f"There is something else at {path}: take it away, the control socket belongs there.")


def _left(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the time is over")
    return left_s
