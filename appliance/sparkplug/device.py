"""A Sparkplug device: one camera, or one group of cameras."""

from collections import deque
from typing import Final

from appliance.sparkplug.codec import Metric
from appliance.sparkplug.metrics import DEVICE, Metrics

HELD_MAX: Final = 1000
"""Parts of one camera that is away, kept until it is back; the oldest give way."""


class Device:
    """What is known of it. Pure: no thread, no clock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.metrics = Metrics(DEVICE)
        self.is_alive = False
        """The camera is there; without it, its parts are held until it is."""
        self._held: deque[list[Metric]] = deque(maxlen=HELD_MAX)

    def hold(self, metrics: list[Metric]) -> None:
        """Keep a part that nobody may hear of at present: a device that is dead says nothing."""
        self._held.append(metrics)

    def release(self) -> list[list[Metric]]:
        """What was held, oldest first."""
        held = list(self._held)
        self._held.clear()
        return held
