"""What the delivery process keeps of one model, on its disk: facts, the live deployment, history, audit."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from appliance.delivery.facts import Facts
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.store.store import Store

_FACTS: Final = "facts"
_LIVE: Final = "deployment"


def utc(moment: datetime | None = None) -> str:
    """RFC 3339 in UTC with milliseconds, of now where no moment is given."""
    when = moment or datetime.now(timezone.utc)
    return when.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Records:
    """Whoever uses `store` holds `lock`: the courier's thread, and those that answer operators.

    Raises, all that write: NoSpace, StoreError.
    """

    def __init__(self, store: Store) -> None:
        """`store` is open."""
        self.store = store
        self.lock = threading.RLock()
        self.facts = Facts.from_json(store.journal.load(_FACTS))

    def learn(self, change: Callable[[Facts], Facts]) -> None:
        """Replace the facts; written where they differ."""
        with self.lock:
            changed = change(self.facts)
            if changed != self.facts:
                self.store.journal.save(_FACTS, changed.as_json())
                self.facts = changed

    def live(self) -> Deployment | None:
        """The deployment under way when it was saved last."""
        with self.lock:
            value = self.store.journal.load(_LIVE)
        return None if value is None else Deployment.from_json(value)

    def save(self, deployment: Deployment) -> None:
        """Before anything is done in its state."""
        with self.lock:
            self.store.journal.save(_LIVE, deployment.as_json())

    def archive(self, deployment: Deployment) -> None:
        """It is over."""
        with self.lock:
            self.store.journal.archive(deployment.as_json())
            self.store.journal.erase(_LIVE)

    def history(self) -> list[dict[str, Any]]:
        """Those that are over, newest first."""
        with self.lock:
            return self.store.journal.history()

    def note(self, name: str, value: Mapping[str, Any]) -> None:
        """A small thing that has to outlive a kill."""
        with self.lock:
            self.store.journal.save(name, value)

    def noted(self, name: str) -> dict[str, Any] | None:
        """What was noted under that name."""
        with self.lock:
            return self.store.journal.load(name)

    def audit(self, who: str, source: str, verb: str, **detail: Any) -> None:
        """One line of the audit log."""
        self.store.audit.append(who, source, verb, self.store.folder.name, **detail)
