"""Which changes of a level are real: those after which it stays. Pure: no pin, no thread, no clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """The level changed, and stayed."""

    at_ns: int
    """Of the first of its edges: when it began to change."""
    is_high: bool


class Debouncer:
    """Edges in, changes out. Edges closer than `quiet_ns` are one burst; what counts is the level after it.

    As the kernel's own (drivers/gpio/gpiolib-cdev.c), but that a change keeps the moment of its first edge: the
    kernel's is when it was sure, which is a timer's tick or two later (deploy/decisions/0026).
    """

    def __init__(self, quiet_ns: int, *, is_high: bool) -> None:
        """`is_high`: the level to begin with."""
        self._quiet_ns = quiet_ns
        self._was_high = is_high
        self._is_high = is_high
        self._first_ns: int | None = None  # of the burst under way
        self._last_ns = 0

    def feed(self, at_ns: int, *, is_high: bool) -> Change | None:
        """An edge, in their order: the change before it, where that is sure now."""
        change = self.settle(at_ns)
        if self._first_ns is None:
            self._first_ns = at_ns
        self._last_ns, self._is_high = at_ns, is_high
        return change

    def settle(self, now_ns: int) -> Change | None:
        """No further edge came until now: the change that is sure by that."""
        if self._first_ns is None or now_ns - self._last_ns < self._quiet_ns:
            return None
        first_ns, self._first_ns = self._first_ns, None
        if self._is_high == self._was_high:
            return None  # a spike
        self._was_high = self._is_high
        return Change(first_ns, self._is_high)

    @property
    def due_ns(self) -> int | None:
        """When settle() has something to say, if no edge comes; None: not before the next one."""
        return None if self._first_ns is None else self._last_ns + self._quiet_ns
