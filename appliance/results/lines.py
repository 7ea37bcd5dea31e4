"""A file of JSON lines as messages: an export, or what somebody archived."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from appliance.outbox.history import Selection
from appliance.outbox.row import GAP_TOPIC
from appliance.results.errors import ResultsError
from appliance.results.message import Message
from appliance.results.moments import utc_ns
from appliance.results.seen import Seen

LINE_MAX_BYTES: Final = 1_048_576
_MESSAGE_BYTES: Final = 1000
"""About; only to say how far it is."""


class LinesFile:
    """One thread. A message that comes more than once counts once."""

    def __init__(self, path: Path) -> None:
        """Raises: ResultsError."""
        self._path = path
        self.doubled = 0
        """Messages that had come before."""
        try:
            self._file: BinaryIO = path.open("rb")
            self._bytes = path.stat().st_size
        except OSError as error:
            raise ResultsError(f"{path} cannot be read ({error.strerror}).") from error

    @property
    def name(self) -> str:
        """As a sentence has it."""
        return str(self._path)

    @property
    def damaged(self) -> int:
        """A line that cannot be read is an error instead."""
        return 0

    def about(self) -> int | None:
        """Guessed by the file's size."""
        return self._bytes // _MESSAGE_BYTES or None

    def every(self, selection: Selection) -> Iterator[Message]:
        """In the file's order. Raises: ResultsError."""
        cameras: dict[str, tuple[str, int]] = {}
        seen = Seen()
        for number, line in self.lines():
            try:
                one = _message(number, line, cameras)
            except (KeyError, TypeError, ValueError) as error:
                raise ResultsError(
                    f"{self._path}, line {number}: no result and no gap as the box publishes them ({error!r})."
                ) from error
            if one.topic != GAP_TOPIC and not seen.add(one.stream, one.sequence, one.through):
                self.doubled += 1
            elif is_selected(one, selection):
                yield one

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each that is not empty, with its number, without its end. Raises: ResultsError."""
        try:
            self._file.seek(0)
            number = 0
            while line := self._file.readline(LINE_MAX_BYTES + 1):
                number += 1
                if len(line) > LINE_MAX_BYTES:
                    raise ResultsError(f"{self._path}, line {number} is above {LINE_MAX_BYTES} bytes: no JSON lines.")
                stripped = line.rstrip(b"\r\n")
                if stripped.strip():
                    yield number, stripped
        except OSError as error:
            raise ResultsError(f"{self._path} cannot be read ({error.strerror}).") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def is_selected(one: Message, chosen: Selection) -> bool:
    """As the outbox itself selects. All bounds are inclusive."""
    first, last = chosen.from_sequence, chosen.to_sequence
    since, until = chosen.since_utc_ns, chosen.until_utc_ns
    return (
        (chosen.camera is None or one.camera == chosen.camera)
        and (chosen.topic is None or one.topic == chosen.topic)
        and (chosen.stream is None or one.stream == chosen.stream)
        and (first is None or one.through >= first)
        and (last is None or one.sequence <= last)
        and (since is None or one.at_utc_ns >= since)
        and (until is None or one.at_utc_ns <= until)
    )


def _message(number: int, line: bytes, cameras: dict[str, tuple[str, int]]) -> Message:
    """A gap says no camera and no time: those of the result before it in its stream."""
    fields: Any = json.loads(line)
    stream = str(fields["stream"])
    if "from_sequence" in fields:
        camera, at = cameras.get(stream, (None, 0))
        first, last = int(fields["from_sequence"]), int(fields["to_sequence"])
        return Message(number, camera, GAP_TOPIC, stream, first, last, at, fields, line)
    sequence, at = int(fields["sequence"]), utc_ns(fields["exposure_time_utc"])
    camera = str(fields["camera"])
    cameras[stream] = (camera, at)
    return Message(number, camera, "result", stream, sequence, sequence, at, fields, line)
