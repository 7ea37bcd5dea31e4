"""How many in a second, over the last minute."""

import time
from typing import Final

_SECONDS: Final = 60


class Speed:
    """One thread counts, any may ask."""

    def __init__(self) -> None:
        self._counts = [0] * _SECONDS
        self._seconds = [-_SECONDS] * _SECONDS
        self._began_s = time.monotonic()

    def add(self, count: int) -> None:
        """So many more, now."""
        second = int(time.monotonic())
        place = second % _SECONDS
        if self._seconds[place] != second:
            self._counts[place] = 0
            self._seconds[place] = second
        self._counts[place] += count

    def per_s(self) -> float:
        """The mean of the last minute, or of the time since the beginning where that is shorter."""
        now_s = time.monotonic()
        oldest = int(now_s) - _SECONDS
        counted = sum(
            count for count, second in zip(self._counts, self._seconds, strict=True) if oldest < second <= now_s
        )
        return counted / max(1.0, min(float(_SECONDS), now_s - self._began_s))
