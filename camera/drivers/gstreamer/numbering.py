"""Which picture of its source one is, and how many never came."""


class Numbering:
    """A sequence from the source's own numbers, where it gives some that make sense; else of those that came.

    v4l2src and videotestsrc number their pictures; others give nothing, or a number of bytes. A jump that the time
    since the picture before does not explain is none of pictures. Threads: one.
    """

    def __init__(self, frame_rate_hz: float) -> None:
        self._frame_rate_hz = frame_rate_hz
        self.lost = 0
        """Pictures that the source made and that never came, since it was made."""
        self.restart()

    def restart(self) -> None:
        """The next one is number 0."""
        self._sequence = -1
        self._last: tuple[int, int] | None = None

    def next(self, offset: int | None, taken_ns: int) -> int:
        """The number of a picture that was taken at that moment (nanoseconds)."""
        missing = self._missing(offset, taken_ns)
        self._last = None if offset is None else (offset, taken_ns)
        self.lost += missing
        self._sequence += 1 + missing
        return self._sequence

    def _missing(self, offset: int | None, taken_ns: int) -> int:
        if offset is None or self._last is None:
            return 0
        missing = offset - self._last[0] - 1
        possible = (taken_ns - self._last[1]) / 1e9 * self._frame_rate_hz * 1.5 + 1
        return missing if 0 <= missing <= possible else 0
