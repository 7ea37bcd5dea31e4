"""When a deployment of one model may begin, and when it may change what serves: this box' clock and settings."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from appliance.delivery.box import moment
from appliance.delivery.records import Records
from appliance.registry.config import DeliveryConfig, ModelDeliveryConfig
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import Hold
from appliance.registry.deployments.starting import Never, Start, may_change, may_start
from appliance.registry.deployments.windows import read_windows
from appliance.registry.deployments.wishes import Desired

_WISH: Final = "wish"


class Turn:
    """One download at a time over all models of the box. Threads: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: str | None = None

    def take(self, model: str) -> bool:
        """Whether it is this model's turn now."""
        with self._lock:
            if self._holder is None:
                self._holder = model
            return self._holder == model

    def give_back(self, model: str) -> None:
        """The next one may."""
        with self._lock:
            if self._holder == model:
                self._holder = None


class Timing:
    """Thread: the courier's."""

    def __init__(
        self,
        model: str,
        box: DeliveryConfig,
        settings: ModelDeliveryConfig,
        records: Records,
        box_id: str,
        turn: Turn,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """`now`: local time, with its offset. Raises: ConfigError (a window)."""
        self._model = model
        self._box = box
        self._windows = read_windows(settings.windows)
        self._approve = settings.approve
        self.keep = settings.keep
        self._records = records
        self._box_id = box_id
        self._turn = turn
        self._now = now

    def may_start(self, deployment: Deployment) -> Hold | Never | None:
        """What keeps it from beginning."""
        return may_start(self._start(deployment))

    def may_change(self, deployment: Deployment) -> Hold | None:
        """What keeps it from being served, once all is proven: pause, pin, window."""
        return may_change(self._start(deployment))

    def take_turn(self) -> bool:
        """One download at a time."""
        return self._turn.take(self._model)

    def give_turn_back(self) -> None:
        """It is over."""
        self._turn.give_back(self._model)

    def wanted(self, desired: Desired, deployment_id: str) -> None:
        """Keep how it was asked for, next to the deployment that it became."""
        self._records.note(_WISH, {"deployment": deployment_id, **desired.as_json()})

    def _start(self, deployment: Deployment) -> Start:
        noted = self._records.noted(_WISH) or {}
        wish = noted if noted.get("deployment") == deployment.id else {}
        facts = self._records.facts
        with self._records.lock:
            current = self._records.store.current
        not_before = wish.get("not_before")
        spread_s = wish.get("spread_s")
        return Start(
            now=self._now(),
            box_id=self._box_id,
            key=deployment.identity or deployment.reference,
            seen=moment(deployment.created),
            percent=float(wish.get("percent", 100.0)),
            not_before=None if not_before is None else moment(not_before),
            spread_s=self._box.spread_s if spread_s is None else float(spread_s),
            windows=self._windows,
            paused=facts.paused is not None,
            pinned=facts.pinned is not None,
            digest=deployment.digest,
            installed=None if current is None else current.digest,
            failed=facts.failed.keys(),
            force=deployment.force,
        )
