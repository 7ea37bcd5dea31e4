"""A camera's own frame ids as a sequence without gaps, but where frames were lost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Numbered:
    """Where one frame stands."""

    sequence: int
    """From 0 at the first frame after restart(), one more for every exposure."""
    lost_before: int
    """Exposures between the frame before and this one that never arrived."""


class FrameCounter:
    """Corrects ids that wrap. GigE Vision 1: 16 bits, 65535 -> 1, 0 is never used; later, and USB3 Vision: 64 bits.

    An id that does not fit into 16 bits shows that there are 64. What was lost before the first frame, no id shows.
    """

    def __init__(self, *, id_bits: int, skips_zero: bool) -> None:
        self._skips_zero = skips_zero
        self._modulus = self._modulus_of(id_bits)
        self._last: int | None = None
        self._sequence = -1

    def restart(self) -> None:
        """The camera begins to acquire: its next id may be any."""
        self._last, self._sequence = None, -1

    def number(self, device_frame_id: int) -> Numbered:
        """Raises: ValueError where the id is that of the frame before, or of an older one: it counts anew."""
        if device_frame_id > self._modulus:
            self._modulus = self._modulus_of(64)
        step = 1 if self._last is None else (device_frame_id - self._last) % self._modulus
        if step == 0 or step > self._modulus // 2:
            raise ValueError(f"frame id {device_frame_id} came after {self._last}")
        self._last = device_frame_id
        self._sequence += step
        return Numbered(self._sequence, step - 1)

    def unnumbered(self) -> Numbered:
        """A frame came whose id was lost with its first packet: most likely the next one."""
        if self._last is not None:
            self._last += 1  # may be beyond the wrap, which the next step's remainder corrects
        self._sequence += 1
        return Numbered(self._sequence, 0)

    def _modulus_of(self, bits: int) -> int:
        return (1 << bits) - (1 if self._skips_zero else 0)
