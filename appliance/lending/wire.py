"""The wire between the line, which has the models, and the process that talks to the network.

A message is a head of JSON and a body of tensors. Numbers travel as their memory, each tensor from a multiple of 64
bytes on, so that an engine reads it where it was received. A tensor of strings is their lengths, then their bytes.
Everything is measured before room is made for it; a message that is not what it should be ends the connection.
"""

import contextlib
import json
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from appliance.api.serving_config import ServingConfig
from appliance.errors import ApplianceError
from appliance.runtimes.dtypes import tensorflow_number
from appliance.runtimes.memory import ALIGNMENT_BYTES
from appliance.runtimes.model import STRING_DTYPE, Array

Room: TypeAlias = Callable[[int], Array]
"""Gives so many bytes of memory, aligned, as an array of uint8."""
Message: TypeAlias = tuple[dict[str, Any], dict[str, Array]]

_PREFIX: Final = struct.Struct("<4sIQ")
"""Mark, bytes of the head, bytes of the body."""
_MARK: Final = b"LEND"
_RANK_MAX: Final = 32
_SENT_AT_ONCE_MAX: Final = 65_536
"""Bytes up to which copying into one piece costs less than another system call."""


class WireError(ApplianceError):
    """What came over the wire is no message. Seen by whoever receives; the connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may hold."""

    body_bytes: int
    strings: int | None = None
    """Of all its tensors. Each is walked through in Python, and the line shares the interpreter; None: no limit."""

    @classmethod
    def of(cls, config: ServingConfig) -> "Limits":
        """Those that the operator has set."""
        return cls(config.max_request_mb << 20, config.max_request_strings)


class Connection:
    """One end. A call of send() or receive() is one thread's; it waits without the interpreter's lock."""

    def __init__(self, end: socket.socket, room: Room, *, head_max: int, limits: Limits) -> None:
        """`room` is asked once for each message received; what it gave before is overwritten if it gives it again."""
        self._socket = end
        self._room = room
        self._head_max = head_max
        self._limits = limits
        end.settimeout(None)

    def send(self, head: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
        """Send a message; blocks until the other side has taken it. Raises: OSError where it is gone."""
        pieces = [(alias, array.dtype, array.shape, _bytes_of(array)) for alias, array in tensors.items()]
        said = [[alias, _name(dtype), shape, len(piece)] for alias, dtype, shape, piece in pieces]
        written = json.dumps({**head, "tensors": said}, separators=(",", ":")).encode()
        body = sum(_aligned(len(piece)) for *_, piece in pieces)
        first = _PREFIX.pack(_MARK, len(written), body) + written
        if body <= _SENT_AT_ONCE_MAX:
            self._socket.sendall(b"".join((first, *(part for *_, piece in pieces for part in _padded(piece)))))
            return
        self._socket.sendall(first)
        for *_, piece in pieces:
            for part in _padded(piece):
                self._socket.sendall(part)

    def receive(self) -> Message | None:
        """The next message; None where the other side is gone. Raises: WireError."""
        prefix = bytearray(_PREFIX.size)
        if not self._fill(memoryview(prefix), may_end=True):
            return None
        mark, head_bytes, body_bytes = _PREFIX.unpack(prefix)
        if mark != _MARK:
            raise WireError(f"a message on the wire begins with {bytes(mark)!r}")
        if head_bytes > self._head_max or body_bytes > self._limits.body_bytes:
            raise WireError(f"a message of {head_bytes} and {body_bytes} bytes is longer than this side takes")
        written = bytearray(head_bytes)
        self._fill(memoryview(written))
        body = self._room(body_bytes)
        self._fill(body.data)
        return _read(written, body, self._limits.strings)

    def close(self) -> None:
        """Let go; the other side's receive() returns None, and so does one that waits here."""
        with contextlib.suppress(OSError):  # the other side was first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _fill(self, view: memoryview, *, may_end: bool = False) -> bool:
        """False where the stream ended before the first byte, which only `may_end` allows. Raises: WireError."""
        filled = 0
        while filled < len(view):
            try:
                count = self._socket.recv_into(view[filled:], 0, socket.MSG_WAITALL)
            except OSError:  # closed here, or cut off there: what was under way is torn
                count = 0
            if count == 0:
                if may_end and filled == 0:
                    return False
                raise WireError(f"a message was torn after {filled} of {len(view)} bytes")
            filled += count
        return True


def strings_in(tensors: Iterable[Array]) -> int:
    """How many strings they are."""
    return sum(array.size for array in tensors if array.dtype.kind in "OSU")


def size_of(tensors: Iterable[Array]) -> int:
    """Bytes that a message's body will have; strings are looked through for it."""
    return sum(_aligned(_size(array)) for array in tensors)


def _size(array: Array) -> int:
    if array.dtype.kind not in "OSU":
        return array.nbytes
    return sum(4 + len(item) for item in map(_as_bytes, array.flat))


def _bytes_of(array: Array) -> bytes | memoryview:
    """A tensor as it travels; a large one of numbers is not copied."""
    if array.dtype.kind in "OSU":
        items = [_as_bytes(item) for item in array.flat]
        return struct.pack(f"<{len(items)}I", *map(len, items)) + b"".join(items)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.nbytes <= _SENT_AT_ONCE_MAX:
        return array.tobytes()
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _as_bytes(item: object) -> bytes:
    return item if isinstance(item, bytes) else str(item).encode()


def _name(dtype: np.dtype[Any]) -> str:
    return STRING_DTYPE if dtype.kind in "OSU" else dtype.name


def _padded(piece: bytes | memoryview) -> Iterable[bytes | memoryview]:
    yield piece
    if missing := _aligned(len(piece)) - len(piece):
        yield bytes(missing)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _read(written: bytearray, body: Array, strings_max: int | None) -> Message:
    """Raises: WireError."""
    strings_left = len(body) if strings_max is None else strings_max
    try:
        head = json.loads(written)
        tensors, place = {}, 0
        for alias, dtype, shape, size in head.pop("tensors"):
            if size < 0 or place + size > len(body):
                raise WireError(f"the tensor {alias!r} of {size} bytes does not lie in a body of {len(body)}")
            tensors[str(alias)] = _array(dtype, shape, body[place : place + size], strings_left)
            strings_left -= strings_in((tensors[str(alias)],))
            place += _aligned(size)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(f"a message on the wire cannot be read: {error!r}") from error
    if place != len(body):
        raise WireError(f"a body of {len(body)} bytes holds tensors of {place}")
    return head, tensors


def _array(dtype: str, shape: list[int], content: Array, strings_max: int) -> Array:
    """The tensor in its memory, or of strings a copy. Raises: WireError, ValueError, TypeError, KeyError."""
    tensorflow_number(dtype)
    if len(shape) > _RANK_MAX or not all(type(size) is int and size >= 0 for size in shape):
        raise WireError(f"no tensor has the shape {shape}")
    count = 1
    for size in shape:
        count *= size
    if dtype == STRING_DTYPE:
        if count > strings_max:
            raise WireError(f"{count} strings are more than the {strings_max} that this side takes")
        return _strings(count, content).reshape(shape)
    if count * np.dtype(dtype).itemsize != len(content):
        raise WireError(f"{len(content)} bytes are no tensor of {dtype} with shape {shape}")
    return content.view(dtype).reshape(shape)


def _strings(count: int, content: Array) -> Array:
    if 4 * count > len(content):
        raise WireError(f"{len(content)} bytes do not hold {count} strings")
    raw = content.tobytes()
    strings = np.empty(count, dtype=object)
    place = 4 * count
    for index, (length,) in enumerate(struct.iter_unpack("<I", raw[:place])):
        strings[index] = raw[place : place + length]
        place += length
    if place != len(raw):
        raise WireError(f"{count} strings of {place} bytes do not fill {len(raw)}")
    return strings
