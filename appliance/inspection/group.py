"""Several views of one part, by several cameras or several exposures: triggered together, told as one result."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from appliance.inspection.combine import combined
from appliance.inspection.in_force import InForce
from appliance.inspection.line import CameraLine
from appliance.inspection.result import Reason, Result
from appliance.inspection.tally import Tally


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """How one part's views come about, and what they have to say for it to pass."""

    frames: int = 1
    """Exposures by each camera."""
    interval_s: float = 0.0
    ok_min: int | None = None
    """Views that have to be OK; None: all of them."""


@dataclass(eq=False, slots=True)
class _Seen:
    """One part, and its views so far."""

    trigger_id: int
    triggered_ns: int
    deadline_ns: int
    part_id: str | None
    in_force: Sequence[InForce]
    """By camera: all views of a part are judged by the recipes that were in force at its first exposure."""
    on_result: Callable[[Result | None], None] | None
    missing: int
    """Views that are still to come."""
    views: dict[int, Result] = field(default_factory=dict)
    """By the view's place in the group."""


class Group:
    """The combined result is out when the last view's is, before the deadline, as each view's line sees to it.

    Threads: trigger() by the trigger's or an operator's; results come on the lines' threads, and are released in the
    order of the triggers. run() is the body of a thread of its own, needed where a camera exposes more than once.
    """

    def __init__(
        self,
        name: str,
        lines: Callable[[], Sequence[CameraLine]],
        settings: GroupSettings,
        record: Callable[[Result], None],
        before: "Group | None" = None,
    ) -> None:
        """`lines`: the cameras' lines, in the group's order; `record` takes each combined result, quickly."""
        self.name = name
        self.tally: Tally = Tally(with_scores=False) if before is None else before.tally
        self._lines = lines
        self._settings = settings
        self._record = record
        self._changed = threading.Condition()
        # guarded by _changed:
        self._next_id = 0 if before is None else before.next_id
        self._open: deque[_Seen] = deque()
        self._later: deque[tuple[int, int, _Seen]] = deque()
        """(when, which exposure, of which part), the soonest first."""
        self._stopping = False

    @property
    def next_id(self) -> int:
        """The number of the next part."""
        return self._next_id

    @property
    def is_idle(self) -> bool:
        """Every part that came has its result."""
        return not self._open

    @property
    def lines(self) -> Sequence[CameraLine]:
        """The cameras' lines."""
        return self._lines()

    def trigger(
        self,
        triggered_ns: int,
        *,
        part_id: str | None = None,
        due_ns: int | None = None,
        lost: tuple[Reason, str] | None = None,
        on_result: Callable[[Result | None], None] | None = None,
    ) -> int | None:
        """A part is there: as `CameraLine.trigger`, for all views."""
        lines, frames = self._lines(), self._settings.frames
        begins_ns = triggered_ns if due_ns is None else due_ns
        with self._changed:
            in_force = [line.in_force for line in lines]
            deadline_ns = triggered_ns + round(min(one.deadline_ms for one in in_force) * 1e6)
            seen = _Seen(self._next_id, triggered_ns, deadline_ns, part_id, in_force, on_result, len(lines) * frames)
            self._next_id += 1
            self._open.append(seen)
            if lost is None:
                for number in range(1, frames):
                    self._later.append((begins_ns + round(number * self._settings.interval_s * 1e9), number, seen))
                self._changed.notify_all()
        if lost is not None:
            made = [self._expose(seen, number, triggered_ns, lost=lost) for number in range(frames)]
            return seen.trigger_id if any(made) else None
        return seen.trigger_id if self._expose(seen, 0, triggered_ns, due_ns=due_ns) else None

    def between_parts(self) -> AbstractContextManager[object]:
        """While it is held no part begins: for a changeover of several cameras, of which no part may see one half."""
        return self._changed

    def threads(self) -> Mapping[str, Callable[[], None]]:
        """What has to run beside it; ends after stop()."""
        return {"exposures": self.run} if self._settings.frames > 1 else {}

    def run(self) -> None:
        """The second and later exposures of each part."""
        while True:
            with self._changed:
                while not self._stopping and not self._later:
                    self._changed.wait()
                if self._stopping and not self._later:
                    return
                at_ns, number, seen = self._later[0]
                wait_s = (at_ns - time.monotonic_ns()) / 1e9
                if wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                self._later.popleft()
            self._expose(seen, number, time.monotonic_ns())

    def stop(self) -> None:
        """No more parts; those under way get their result."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _expose(
        self,
        seen: _Seen,
        number: int,
        now_ns: int,
        *,
        due_ns: int | None = None,
        lost: tuple[Reason, str] | None = None,
    ) -> bool:
        """One exposure by each camera. False where none is made any more: the stored pictures have ended."""
        lines = self._lines()
        made = False
        for place, line in enumerate(lines, number * len(lines)):
            trigger_id = line.trigger(
                now_ns,
                part_id=seen.part_id,
                deadline_ns=seen.deadline_ns,
                in_force=seen.in_force[place % len(lines)],
                due_ns=due_ns,
                lost=lost,
                on_result=lambda result, place=place: self._took(seen, place, result),  # type: ignore[misc]
            )
            if trigger_id is None:
                self._took(seen, place, None)
            made = made or trigger_id is not None
        return made

    def _took(self, seen: _Seen, place: int, result: Result | None) -> None:
        """A view's result is known. In the order of the parts each is told when it is whole."""
        with self._changed:
            seen.missing -= 1
            if result is not None:
                seen.views[place] = result
            while self._open and not self._open[0].missing:
                whole = self._open.popleft()
                if whole.views:
                    self._tell(whole)
                elif whole.on_result is not None:
                    whole.on_result(None)

    def _tell(self, seen: _Seen) -> None:
        ok_min = self._settings.ok_min
        views = [seen.views[place] for place in sorted(seen.views)]
        # Views that nobody made (the stored pictures have ended) were no views.
        result = combined(self.name, views, len(views) if ok_min is None else ok_min)
        now_ns = time.monotonic_ns()
        result = replace(
            result,
            trigger_id=seen.trigger_id,
            part_id=seen.part_id,
            times=replace(result.times, total_ms=(now_ns - seen.triggered_ns) / 1e6),
            deadline_ms=(seen.deadline_ns - seen.triggered_ns) / 1e6,
            verdict_ns=now_ns,
        )
        self.tally.count(result)
        self._record(result)
        if seen.on_result is not None:
            seen.on_result(result)
