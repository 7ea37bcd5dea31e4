"""Ten thousand boxes and one registry on virtual time: a heap of moments, no threads, no waiting.

The boxes are the product's own code: polling, rings, spread. The network and the registry are a model: see costs.py.
"""

import heapq
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

import numpy as np
from fleet.costs import NEW_MODEL, Costs, Package
from fleet.downloads import STEP_S, Downloads

from appliance.registry.deployments.polling import Polling, answered, first_look, look_now, unanswered
from appliance.registry.deployments.starting import Start, may_start

EPOCH = datetime(2026, 11, 20, tzinfo=timezone.utc)
DIGEST = "sha256:" + "ab" * 32
POLL, CHECK, STEP, WISH, LOOK = range(5)


@dataclass(frozen=True)
class Wish:
    """`desired` over MQTT, to all boxes at once."""

    at_s: float
    percent: float
    spread_s: float


@dataclass(frozen=True)
class Plan:
    """One run."""

    boxes: int = 10_000
    sites: int = 200
    mirrors: bool = False
    period_s: float = 1800.0
    hours: float = 3.0
    outages: Sequence[tuple[float, float]] = ()
    """From, to: seconds in which the registry answers nothing."""
    wishes: Sequence[Wish] = ()
    looks: Sequence[tuple[float, float]] = ()
    """`look now` over MQTT: at, spread; seconds."""
    published_s: float | None = None
    """From then on a look finds something new, and the box wants it (`follow = "source"`)."""
    spread_s: float = 0.0
    """For what a look finds."""
    package: Package = NEW_MODEL
    costs: Costs = field(default_factory=Costs)
    backs_off: bool = True
    """False: as clients do that nobody taught manners, retrying every 30 s on the dot."""


class Registry:
    """Answers so many requests a second; counts all that come."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.asked: Counter[int] = Counter()
        """Requests in each second, refused and unanswered ones too."""
        self.refused = 0
        self.unanswered = 0

    def is_up(self, now: float) -> bool:
        return not any(begin <= now < end for begin, end in self._plan.outages)

    def look(self, now: float) -> float | str:
        """A HEAD: "ok", "down", or the seconds of Retry-After."""
        self.asked[int(now)] += 1
        if not self.is_up(now):
            self.unanswered += 1
            return "down"
        if self.asked[int(now)] > self._plan.costs.registry_requests_s:
            self.refused += 1
            return self._plan.costs.retry_after_s
        return "ok"

    def fetch(self, now: float, requests: int) -> None:
        """The requests of one download, one after the other."""
        for number in range(requests):
            self.asked[int(now) + number] += 1

    def peak(self, begin_s: float = 0.0, end_s: float = 1e12) -> int:
        """Most requests in one second."""
        return max((count for second, count in self.asked.items() if begin_s <= second < end_s), default=0)

    def mean(self, begin_s: float, end_s: float) -> float:
        return sum(count for second, count in self.asked.items() if begin_s <= second < end_s) / (end_s - begin_s)


class Fleet:
    """The run. `begun` and `ready` map a box to the second of its download's begin and end."""

    def __init__(self, plan: Plan, seed: int = 4) -> None:
        self.plan = plan
        self.registry = Registry(plan)
        self._names = [f"plant{box % plan.sites}/box{box}" for box in range(plan.boxes)]
        site_of = np.arange(plan.boxes) % plan.sites
        self.downloads = Downloads(plan.costs, site_of, plan.package.fetched, mirrors=plan.mirrors)
        self.begun: dict[int, float] = {}
        self.ready: dict[int, float] = {}
        self.looks = 0
        self._draw = random.Random(seed).random
        self._wanted: list[Start | None] = [None] * plan.boxes
        self._checks: list[float] = [-1.0] * plan.boxes
        """When the box asks again whether it may start: only the newest such moment counts."""
        self._polling: list[Polling] = [first_look(name, plan.period_s, 0.0) for name in self._names]
        self._heap: list[tuple[float, int, int]] = [(one.due, POLL, box) for box, one in enumerate(self._polling)]
        self._heap += [(wish.at_s, WISH, number) for number, wish in enumerate(plan.wishes)]
        self._heap += [(at_s, LOOK, number) for number, (at_s, _) in enumerate(plan.looks)]
        self._heap.append((STEP_S, STEP, 0))
        heapq.heapify(self._heap)

    def run(self) -> "Fleet":
        """Until the plan's hours are over."""
        does = {POLL: self._poll, CHECK: self._check, STEP: self._step, WISH: self._wish, LOOK: self._look}
        end_s = self.plan.hours * 3600
        while self._heap and self._heap[0][0] < end_s:
            now, kind, which = heapq.heappop(self._heap)
            does[kind](now, which)
        return self

    def _poll(self, now: float, box: int) -> None:
        polling = self._polling[box]
        if polling.due != now:  # put forward meanwhile
            return
        self.looks += 1
        answer = self.registry.look(now)
        if answer == "ok":
            following = answered(polling, self.plan.period_s, now, self._draw())
            self._found(now, box)
        elif not self.plan.backs_off:
            following = replace(polling, due=now + 30.0)
        else:
            following = unanswered(polling, now, self._draw(), None if answer == "down" else float(answer))
        self._again(box, following)

    def _found(self, now: float, box: int) -> None:
        published_s = self.plan.published_s
        if published_s is not None and now >= published_s and self._wanted[box] is None:
            self._want(now, box, percent=100.0, spread_s=self.plan.spread_s)

    def _wish(self, now: float, number: int) -> None:
        wish = self.plan.wishes[number]
        for box in range(self.plan.boxes):
            if box not in self.begun:
                self._want(now, box, percent=wish.percent, spread_s=wish.spread_s)

    def _want(self, now: float, box: int, *, percent: float, spread_s: float) -> None:
        seen = EPOCH + timedelta(seconds=now)
        self._wanted[box] = Start(
            now=seen, box_id=self._names[box], key=DIGEST, seen=seen, percent=percent, spread_s=spread_s
        )
        self._checks[box] = now
        self._check(now, box)

    def _check(self, now: float, box: int) -> None:
        if box in self.begun or self._checks[box] != now:
            return
        start = replace(self._wanted[box], now=EPOCH + timedelta(seconds=now))
        hold = may_start(start)
        if hold is None:
            self.begun[box] = now
            self.downloads.begin(box)
            self.registry.fetch(now, 1 if self.plan.mirrors else self.plan.package.requests)
        elif hold.until is not None:
            self._checks[box] = max(now, (hold.until - EPOCH).total_seconds())
            heapq.heappush(self._heap, (self._checks[box], CHECK, box))

    def _step(self, now: float, _number: int) -> None:
        for box in self.downloads.step(registry_up=self.registry.is_up(now)):
            self.ready[int(box)] = now
        heapq.heappush(self._heap, (now + STEP_S, STEP, 0))

    def _look(self, now: float, number: int) -> None:
        _, spread_s = self.plan.looks[number]
        for box, name in enumerate(self._names):
            following = look_now(self._polling[box], now, box_id=name, spread_s=spread_s)
            if following is not self._polling[box]:
                self._again(box, following)

    def _again(self, box: int, following: Polling) -> None:
        self._polling[box] = following
        heapq.heappush(self._heap, (following.due, POLL, box))
