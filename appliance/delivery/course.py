"""A deployment under way: what happens to it is told here, saved before anything follows from it, and seen by all."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from appliance.delivery.records import Records, utc
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import Counted, Event, Fetched
from appliance.registry.deployments.machine import after
from appliance.registry.deployments.states import State
from appliance.registry.deployments.strategy import Strategy

logger = logging.getLogger(__name__)

_COUNTS_SAVED_S: Final = 10.0
"""Counters go to disk so often; a kill loses those of the last seconds, and the candidate proves a little more."""


class Moved(Exception):
    """The deployment is in another state now."""


class Stopping(Exception):
    """The process ends; the journal says where to go on."""


class Course:
    """One model's live deployment.

    Threads: tell(), checkpoint() and wait() belong to the courier's; happen() may be called by any.
    """

    def __init__(self, records: Records, strategy: Strategy, changed: Callable[[], None]) -> None:
        """`changed`: what others may see is another now."""
        self._records = records
        self._strategy = strategy
        self._changed = changed
        self._woken = threading.Condition()
        self._happened: list[tuple[Event, str, str]] = []  # guarded by _woken
        self._is_stopping = False  # guarded by _woken
        self._saved_s = 0.0
        self.live: Deployment | None = None
        """Replaced whole; read by any thread. One that is over stays until it was put away."""

    def begin(self, deployment: Deployment) -> None:
        """Make this one live; the one before is over. Raises: StoreError, NoSpace."""
        self._records.save(deployment)
        self._show(deployment)

    def put_away(self) -> None:
        """The live one is over, and in the history."""
        with self._woken:
            self._happened.clear()
        self._show(None)

    def happen(self, event: Event, who: str = "box", source: str = "") -> None:
        """Something from outside; the courier comes to it at its next checkpoint."""
        with self._woken:
            self._happened.append((event, who, source))
            self._woken.notify_all()

    def wake(self) -> None:
        """Whoever waits looks again."""
        with self._woken:
            self._woken.notify_all()

    def stop(self) -> None:
        """checkpoint() and wait() raise Stopping from now on."""
        with self._woken:
            self._is_stopping = True
            self._woken.notify_all()

    def tell(self, event: Event, who: str = "box", source: str = "") -> bool:
        """Let `event` happen; whether the state has changed. Saved before it returns. Raises: StoreError, NoSpace."""
        before = self.live
        if before is None:
            return False
        now = after(before, event, self._strategy, utc())
        if now is before:
            return False
        if self._is_worth_saving(event):
            self._records.save(now)
        if now.state is not before.state:
            self._log(before, now, who, source)
        self._show(now)
        return now.state is not before.state

    def checkpoint(self) -> None:
        """Let happen what came from outside. Raises: Moved, Stopping."""
        while True:
            with self._woken:
                if self._is_stopping:
                    raise Stopping
                if not self._happened:
                    return
                event, who, source = self._happened.pop(0)
            if self.tell(event, who, source):
                raise Moved

    def wait(self, timeout_s: float) -> None:
        """Until something happens, or wake(), or the time is over. Raises: Moved, Stopping."""
        with self._woken:
            if not self._happened and not self._is_stopping:
                self._woken.wait(timeout_s)
        self.checkpoint()

    def wait_until(self, is_so: Callable[[], bool], timeout_s: float, *, look_s: float = 0.5) -> bool:
        """Until `is_so`; False where it was not in time. Raises: Moved, Stopping."""
        limit = time.monotonic() + timeout_s
        while not is_so():
            left_s = limit - time.monotonic()
            if left_s <= 0:
                return False
            self.wait(min(left_s, look_s))
        return True

    def until(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """For other threads: until `is_so`, asked at each change of the live deployment."""
        with self._woken:
            return self._woken.wait_for(is_so, timeout_s)

    def _show(self, deployment: Deployment | None) -> None:
        with self._woken:
            self.live = deployment
            self._woken.notify_all()
        self._changed()

    def _is_worth_saving(self, event: Event) -> bool:
        """What is told often, and can be counted again, is not written each time."""
        if isinstance(event, Fetched):
            return False
        if not isinstance(event, Counted):
            return True
        is_due = time.monotonic() - self._saved_s > _COUNTS_SAVED_S
        if is_due:
            self._saved_s = time.monotonic()
        return is_due

    def _log(self, before: Deployment, now: Deployment, who: str, source: str) -> None:
        self._records.audit(
            who,
            source,
            "moved",
            deployment=now.id,
            state=now.state.value,
            before=before.state.value,
            release=now.release,
            reason=now.reason,
            detail=now.detail,
        )
        release = "" if now.release is None else f" release {now.release}"
        sentence = f": {now.detail}" if now.detail else ""
        is_bad = now.state in {State.REJECTED, State.FAILED, State.ROLLED_BACK, State.ROLLBACK_FAILED, State.TIMED_OUT}
        logger.log(
            logging.WARNING if is_bad or now.state is State.ROLLING_BACK else logging.INFO,
            "Model %s%s: %s%s",
            now.model,
            release,
            now.state.value,
            sentence,
            extra={"MODEL": now.model, "DEPLOYMENT": now.id},
        )
