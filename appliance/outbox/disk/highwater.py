"""Which numbers were given out, in a file of its own: it survives when the database does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.outbox import smallfile

FILE_NAME = "highwater.json"
_ENDED_MAX = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one stream may have come."""

    stream: str
    reserved: int
    """No sequence above this one was ever given out; those up to it may have been."""


@dataclass(frozen=True, slots=True)
class HighWater:
    """How far everything may have come."""

    row: int
    marks: Mapping[tuple[str, str], Mark]
    """(camera, topic) -> its newest stream."""
    in_use: str | None
    """The database that was open when this was written; None when it had been closed in order."""
    ended: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Streams that damage has ended -> camera, and how far it may have come: what waits may be damaged again."""


def read(folder: Path) -> HighWater | None:
    """None where it was never written, or is damaged. Raises OSError."""
    content = smallfile.read(folder / FILE_NAME)
    if content is None:
        return None
    marks = {(one["camera"], one["topic"]): Mark(one["stream"], one["reserved"]) for one in content["streams"]}
    ended = {one["stream"]: (one["camera"], one["reserved"]) for one in content.get("ended", [])}
    return HighWater(content["row"], marks, content.get("in_use"), ended)


def write(folder: Path, mark: HighWater) -> None:
    """Milliseconds. Raises OSError."""
    streams = [
        {"camera": camera, "topic": topic, "stream": one.stream, "reserved": one.reserved}
        for (camera, topic), one in mark.marks.items()
    ]
    ended = [
        {"camera": camera, "stream": stream, "reserved": reserved} for stream, (camera, reserved) in mark.ended.items()
    ]
    content = {"row": mark.row, "streams": streams, "in_use": mark.in_use, "ended": ended[-_ENDED_MAX:]}
    smallfile.replace(folder / FILE_NAME, content)
