"""The process that talks to networks."""

from collections.abc import Callable
from pathlib import Path

from appliance.children.child import Child
from appliance.link import Message


class GatewayChild(Child):
    """Results, health and metrics for the world."""

    def __init__(self, config_file: Path, acknowledged: Callable[[int], None], changed: Callable[[], None]) -> None:
        """`acknowledged` takes the row up to which the broker has everything."""
        super().__init__("gateway", "MQTT and REST are away, results wait on disk", config_file, changed)
        self._acknowledged = acknowledged

    def drain(self, row: int, timeout_s: float) -> bool:
        """End it after it has delivered everything up to `row`; False where that took too long and it was ended."""
        self._stopping.set()
        with self._lock:
            link, process = self._link, self._process
        if link is None or process is None:
            return False
        link.send("drain", {"row": row, "timeout_s": timeout_s})
        try:
            return self._ended(process, timeout_s + 2.0) == 0
        finally:
            link.close()
            self._gone.wait(5.0)

    def _live(self) -> int:
        return self._run_once("appliance.gateway", [], [], lambda: True)

    def _heard(self, message: Message) -> None:
        if message.kind == "acknowledged":
            self._acknowledged(int(message.body["row"]))
