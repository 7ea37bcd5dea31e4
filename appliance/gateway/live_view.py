"""The Sparkplug view in the gateway, where the operator wants one: what it is told, and what health says of it."""

import time

from appliance.api.board import Board
from appliance.config import ApplianceConfig
from appliance.health import DeviceHealth, Reason
from appliance.sparkplug.view import SparkplugView
from appliance.status import LineStatus

_COMPONENT = "sparkplug"


class LiveView:
    """Called by the gateway's main thread; never waits but in stop(). Without [sparkplug] it does nothing."""

    def __init__(self, config: ApplianceConfig, board: Board) -> None:
        self._board = board
        self._view: SparkplugView | None = None
        if config.sparkplug is not None:
            self._view = SparkplugView(
                config.sparkplug,
                config.mqtt,
                config.station.name,
                config.outbox_folder,
                (*config.cameras, *config.parts),
                tuple(config.models),
            )

    def start(self) -> None:
        """Begin."""
        if self._view is not None:
            self._view.start()

    def notify(self, row: int) -> None:
        """The line has recorded rows up to this one."""
        if self._view is not None:
            self._view.notify(row)

    def reported(self, status: LineStatus) -> None:
        """The line's newest status."""
        if self._view is None:
            return
        overview = self._board.overview(time.monotonic_ns())
        codes = [reason.code for reason in overview.reasons]
        broker = overview.mqtt is not None and overview.mqtt.connected
        self._view.reported(status, overview.device_health, codes, broker=broker)

    def look(self) -> None:
        """Tell health how it stands; some microseconds."""
        if self._view is None:
            return
        problem = self._view.state().problem
        reasons = []
        if problem is not None:
            reasons.append(Reason(DeviceHealth.MAINTENANCE_REQUIRED, "SPARKPLUG_AWAY", _COMPONENT, problem))
        self._board.set_reasons(_COMPONENT, reasons)

    def stop(self, timeout_s: float) -> None:
        """Say what is there within so many seconds, and good-bye."""
        if self._view is not None:
            self._view.stop(timeout_s)
