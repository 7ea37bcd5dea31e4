"""What an outbox folder holds at one moment, read from its files alone."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.outbox import consumers, files, watermark
from appliance.outbox.consumers import Confirmed
from appliance.outbox.faults import in_our_words
from appliance.outbox.history import Holding, StreamSpan
from appliance.outbox.watermark import Acknowledged
from appliance.results.recorded import RecordedRows

_LOCKS: Final = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one consumer is behind in one camera's results, by its own word."""

    consumer: str
    camera: str
    confirmed: Confirmed | None
    """None: it was never heard of."""
    behind: int
    """Messages recorded since, as far as they are still here."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the folder."""

    folder: Path
    at_ns: int
    """CLOCK_MONOTONIC."""
    at_utc_ns: int
    file_name: str
    file_bytes: int
    """With its log."""
    max_bytes: int | None
    """What the operator's file allows; None of a copy."""
    keep_days: float | None
    holding: Holding
    streams: Sequence[StreamSpan]
    acknowledged: Acknowledged
    lags: Sequence[Lag]
    damaged: Sequence[str]
    """Files that were set aside."""
    is_written: bool | None
    """Whether a line records into it now; None where this system does not say."""


class Lookout:
    """One thread."""

    def __init__(self, folder: Path, rows: RecordedRows, max_bytes: int | None, keep_days: float | None) -> None:
        self._folder = folder
        self._rows = rows
        self._max_bytes = max_bytes
        self._keep_days = keep_days

    def look(self) -> Look:
        """Milliseconds. Raises: OutboxError."""
        with in_our_words(f"The outbox folder {self._folder}"):
            path = files.current(self._folder)
            acknowledged = watermark.read(self._folder)
            confirmed = consumers.read(self._folder).confirmed
            damaged = [path.name for path in files.damaged_files(self._folder)]
            file_bytes = 0 if path is None else _bytes(path) + _bytes(path.with_name(f"{path.name}-wal"))
        holding = self._rows.history.holding()
        at_ns, at_utc_ns = time.monotonic_ns(), time.time_ns()
        streams = self._rows.history.streams()
        return Look(
            folder=self._folder,
            at_ns=at_ns,
            at_utc_ns=at_utc_ns,
            file_name="" if path is None else path.name,
            file_bytes=file_bytes,
            max_bytes=self._max_bytes,
            keep_days=self._keep_days,
            holding=holding,
            streams=streams,
            acknowledged=acknowledged,
            lags=_lags(confirmed, streams),
            damaged=damaged,
            is_written=_is_locked(self._folder / "writer.lock"),
        )


def _lags(confirmed: Mapping[str, Mapping[str, Confirmed]], streams: Sequence[StreamSpan]) -> list[Lag]:
    cameras = dict.fromkeys(one.camera for one in streams)
    return [
        Lag(consumer, camera, found := of.get(camera), _behind(found, [one for one in streams if one.camera == camera]))
        for consumer, of in sorted(confirmed.items())
        for camera in cameras
    ]


def _behind(confirmed: Confirmed | None, streams: Sequence[StreamSpan]) -> int:
    """Streams sort by the time of their beginning."""
    if confirmed is None:
        return sum(one.rows for one in streams)
    return sum(
        max(0, one.last - max(confirmed.sequence, one.first - 1)) if one.stream == confirmed.stream else one.rows
        for one in streams
        if one.stream >= confirmed.stream
    )


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_locked(path: Path) -> bool | None:
    """Whether some process holds it. Taking it to find out would keep a line from starting at this moment."""
    try:
        found = path.stat()
        locks = _LOCKS.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return False if _LOCKS.exists() else None
    except OSError:
        return None
    return any(line.split()[1:2] == ["FLOCK"] and f":{found.st_ino} " in line for line in locks.splitlines())
