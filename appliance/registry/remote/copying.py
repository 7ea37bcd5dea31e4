"""From a file that is here into a sink that may hold a part of it."""

from typing import BinaryIO, Final, Protocol

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.remote.pace import RateLimiter
from appliance.registry.remote.protocol import Progress

_BLOCK: Final = 1 << 20


class Source(Protocol):
    """What is copied from."""

    def read(self, count: int, /) -> bytes:
        """Up to `count` bytes; empty at the end."""

    def seek(self, offset: int, /) -> int:
        """From the start."""


def copy_bytes(
    source: Source, offset: int, size: int, sink: BinaryIO, progress: Progress, limiter: RateLimiter | None = None
) -> None:
    """From `offset + sink.tell()` on, until `size` bytes are in `sink`. Raises: Rejected(CONTENT), OSError."""
    at = sink.tell()
    source.seek(offset + at)
    while at < size:
        block = source.read(min(_BLOCK, size - at))
        if not block:
            raise Rejected(
                Refusal.CONTENT, f"A file ended after {at} bytes where {size} were signed; publish it again."
            )
        write_all(sink, block)
        at += len(block)
        if limiter is not None:
            limiter.take(len(block))
        progress(len(block))
    sink.flush()


def ignore_progress(_count: int) -> None:
    """For what is small."""


def write_all(sink: BinaryIO, block: bytes) -> None:
    """Also to an unbuffered file, which takes less where its disk is nearly full. Raises: OSError."""
    view = memoryview(block)
    while view:
        view = view[sink.write(view) :]
