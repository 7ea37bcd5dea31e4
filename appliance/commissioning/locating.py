"""Where cameras are: settings name a camera by its serial number, or not at all, and its driver knows the address."""

from collections.abc import Iterable
from typing import Final

from camera.checking.findings import Finding, wrong
from camera.config import AnyConfig, GenicamConfig
from camera.discovery import LOOKING, Looked, discover

_LOOK_S: Final = 1.5


class Locating:
    """What the drivers of some cameras found, asked once."""

    def __init__(self, cameras: Iterable[AnyConfig]) -> None:
        """One to three seconds where one of them is a GenICam camera, and nothing otherwise."""
        drivers: dict[str, str] = {one.driver: LOOKING[one.driver] for one in cameras if isinstance(one, GenicamConfig)}
        self._looked: dict[str, Looked] = {one.driver: one for one in discover(_LOOK_S, drivers)} if drivers else {}

    def problems(self) -> list[Finding]:
        """Drivers that could not look."""
        return [wrong("driver", one.problem.rstrip(".")) for one in self._looked.values() if one.problem]

    def address(self, settings: AnyConfig) -> str:
        """IP address or USB port; empty where it is not known, or more than one camera could be meant."""
        looked = self._looked.get(settings.driver)
        if looked is None or not isinstance(settings, GenicamConfig):
            return ""
        wanted = settings.device
        fitting = [one for one in looked.found if wanted is None or wanted in {one.device, one.serial, one.address}]
        return fitting[0].address if len(fitting) == 1 else ""
