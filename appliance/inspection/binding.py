"""Which picture belongs to which trigger, where both are only observed: a wire exposes, and this box sees the wire too.

Pure: no camera, no thread, no clock. A picture that could be of several triggers is nobody's, because a guess that is
wrong once is wrong for every part after it.
"""

from collections import deque
from dataclasses import dataclass

from appliance.inspection.ledger import Part


@dataclass(frozen=True, slots=True)
class Binding:
    """What one picture means for the triggers that wait."""

    part: Part | None
    """The one that it shows; None: nobody's."""
    missing: tuple[Part, ...] = ()
    """Triggers before it of which no picture will come any more, oldest first."""
    ambiguous: tuple[Part, ...] = ()
    """Triggers that it might be of, where there are several: none of them can be judged."""


class Binder:
    """Triggers in, pictures in, pairs out. One thread at a time."""

    def __init__(self, window_ns: int, early_ns: int) -> None:
        """A picture is of a trigger when its exposure ended at most `window_ns` after it.

        `early_ns`: how much too early an exposure's estimated end may lie; the estimate is of a device's clock.
        """
        self._window_ns = window_ns
        self._early_ns = early_ns
        self._waiting: deque[tuple[int, Part]] = deque()
        self._seen = 0

    def expect(self, part: Part) -> None:
        """A trigger, in their order."""
        self._seen += 1
        self._waiting.append((self._seen, part))

    def offer(self, exposed_ns: int, trigger_count: int | None) -> Binding:
        """A picture, in their order. `trigger_count`: the camera's own count of pulses since both began, from 1."""
        missing = []
        while self._waiting and self._waiting[0][1].triggered_ns + self._window_ns < exposed_ns:
            missing.append(self._waiting.popleft()[1])
        candidates = [
            (number, part) for number, part in self._waiting if part.triggered_ns - self._early_ns <= exposed_ns
        ]
        if trigger_count is not None:
            counted = [one for one in candidates if one[0] == trigger_count]
            if counted:  # the camera's count and the time agree: those before it were ignored by the camera
                missing += [part for number, part in candidates if number < trigger_count]
                candidates = counted
        if len(candidates) > 1:
            self._drop_up_to(candidates[-1][0])
            return Binding(None, tuple(missing), tuple(part for _, part in candidates))
        if not candidates:
            return Binding(None, tuple(missing))
        self._drop_up_to(candidates[0][0])
        return Binding(candidates[0][1], tuple(missing))

    def has_candidate(self, exposed_ns: int) -> bool:
        """Whether some trigger that waits may be the one of this picture."""
        return any(
            part.triggered_ns - self._early_ns <= exposed_ns <= part.triggered_ns + self._window_ns
            for _, part in self._waiting
        )

    def overdue(self, now_ns: int) -> list[Part]:
        """Triggers of which no picture will come any more; they are forgotten."""
        found = []
        while self._waiting and self._waiting[0][1].triggered_ns + self._window_ns < now_ns:
            found.append(self._waiting.popleft()[1])
        return found

    def next_due_ns(self) -> int | None:
        """When overdue() has something to say, if no picture comes."""
        return self._waiting[0][1].triggered_ns + self._window_ns if self._waiting else None

    def forget(self) -> list[Part]:
        """The camera was opened anew: nothing that waited will come, and both counts begin again."""
        found = [part for _, part in self._waiting]
        self._waiting.clear()
        self._seen = 0
        return found

    def _drop_up_to(self, number: int) -> None:
        while self._waiting and self._waiting[0][0] <= number:
            self._waiting.popleft()
