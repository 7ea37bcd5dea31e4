"""Looks at a model's source now and then, and offers what is new there."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from appliance.delivery.course import Stopping
from appliance.delivery.records import Records, utc
from appliance.registry.deployments.polling import Polling, answered, first_look, look_now, unanswered
from appliance.registry.errors import Rejected, Unavailable
from appliance.registry.remote.protocol import Remote, Seen

logger = logging.getLogger(__name__)

_AGAIN_S = 21_600.0
"""What ended for a reason of the moment (a clock, a full disk) is offered again so much later."""
_FIRST_LOOK_MAX_S = 30.0
"""After a start a box looks within so long, or within its polling period where that is shorter."""


class Watcher:
    """Thread: run() is one of its own; the rest by any."""

    def __init__(
        self,
        model: str,
        period_s: float,
        box_id: str,
        records: Records,
        open_remote: Callable[[], Remote],
        found: Callable[[Seen], None],
        changed: Callable[[], None],
    ) -> None:
        """`found`: something is there that no deployment has dealt with; called once for each identity in a row."""
        self._model = model
        self._period_s = period_s
        self._box_id = box_id
        self._records = records
        self._open_remote = open_remote
        self._found = found
        self._changed = changed
        self._woken = threading.Condition()
        self._polling = first_look(box_id, min(period_s, _FIRST_LOOK_MAX_S), time.monotonic())  # guarded by _woken
        self._is_stopping = False  # guarded by _woken
        self._offered: tuple[str | None, float] = None, 0.0
        self.newest: Seen | None = None
        """What the source showed at the last look."""
        self.problem: str | None = None
        """Why the source does not answer; None while it does."""
        self.last_looked: str | None = None
        """RFC 3339; None before the first look."""
        self.answered_s: float | None = None
        """When the source last answered, by the monotonic clock."""
        self.began_s = time.monotonic()

    def run(self) -> None:
        """Until stop()."""
        remote = self._open_remote()
        try:
            while self._wait():
                self._look(remote)
        except Stopping:
            pass
        finally:
            remote.close()

    def look_now(self, spread_s: float = 0.0) -> None:
        """Somebody asks for it; not more often than each ten seconds."""
        with self._woken:
            self._polling = look_now(self._polling, time.monotonic(), box_id=self._box_id, spread_s=spread_s)
            self._woken.notify_all()

    def forget(self) -> None:
        """Offer again what was offered before, where no deployment has dealt with it for good."""
        self._offered = None, 0.0

    def stop(self) -> None:
        """End run()."""
        with self._woken:
            self._is_stopping = True
            self._woken.notify_all()

    def next_look(self) -> str:
        """RFC 3339."""
        left_s = max(0.0, self._polling.due - time.monotonic())
        return utc(datetime.now(timezone.utc) + timedelta(seconds=left_s))

    def _wait(self) -> bool:
        """Until a look is due; False where it ends."""
        with self._woken:
            while not self._is_stopping and (left_s := self._polling.due - time.monotonic()) > 0:
                self._woken.wait(left_s)
            return not self._is_stopping

    def _look(self, remote: Remote) -> None:
        draw = random.random()  # noqa: S311 - no secret
        self.last_looked = utc()
        try:
            seen = remote.look()
        except (Unavailable, Rejected) as error:
            self._plan(self._later(error, time.monotonic(), draw))
            if self.problem != str(error):
                logger.warning("%s", error, extra={"MODEL": self._model})
            self.problem = str(error)
        else:
            self._plan(answered(self._polling, self._period_s, time.monotonic(), draw))
            self.problem, self.newest, self.answered_s = None, seen, time.monotonic()
            self._note(seen)
        self._changed()

    def _later(self, error: Unavailable | Rejected, now_s: float, draw: float) -> Polling:
        """Patient, but never more than between two looks that succeed, unless the source itself asks for more."""
        retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else None
        later = unanswered(self._polling, now_s, draw, retry_after_s)
        return later if retry_after_s is not None else replace(later, due=min(later.due, now_s + self._period_s))

    def _plan(self, polling: Polling) -> None:
        with self._woken:
            self._polling = polling

    def _note(self, seen: Seen) -> None:
        """Offer it, where it is new. When it was looked at is not written: that is not worth the wear of the disk."""
        identity, at_s = self._offered
        is_due = seen.identity != identity or time.monotonic() - at_s > _AGAIN_S
        if is_due and seen.identity not in self._records.facts.handled:
            self._offered = seen.identity, time.monotonic()
            self._found(seen)
