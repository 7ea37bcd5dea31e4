"""What the gateway tells the world of each new document: MQTT, the newest in memory, the board."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from appliance.steering.counting import Counting, Counts
from appliance.steering.document import Document, event, flat, moved, newest_model
from appliance.steering.newest import Newest

TOPIC = "deployment"
EVENTS = "deployment/events"


class Teller:
    """Used by the thread that watches the delivery process; nothing here waits."""

    def __init__(
        self,
        newest: Newest,
        retain: Callable[[str, bytes], None],
        publish: Callable[[str, bytes], None],
        report: Callable[[Document | None, Counts | None], None],
    ) -> None:
        """`retain`, `publish`: below the base topic. `report`: the board's; None while nothing is known."""
        self._newest = newest
        self._retain = retain
        self._publish = publish
        self._report = report
        self._counting = Counting()
        self._before: Document | None = None

    def take(self, document: Document) -> None:
        """A new document. Raises: KeyError, TypeError where it is none (a fault of the software)."""
        self._newest.take(document)
        self._report(document, self._counting.take(document))
        for one in moved(self._before, document):
            self._publish(EVENTS, _json(event(document, one)))
        self._before = document
        names = document["models"]
        newest = newest_model(document)
        if newest is not None:
            self._retain(TOPIC, _json(flat(document, newest)))
        if len(names) > 1:
            for name in names:
                self._retain(f"{TOPIC}/{name}", _json(flat(document, name)))

    def lost(self, problem: str) -> None:
        """The delivery process is away; what was told over MQTT stays."""
        self._newest.lost(problem)
        self._report(None, None)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
