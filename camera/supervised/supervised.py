"""The camera that the rest of the program sees, with its driver elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

from camera.config import CameraConfig
from camera.errors import CameraLost
from camera.frame import Frame
from camera.opening import check_config
from camera.protocol import CameraInfo
from camera.supervised.process import DriverProcess
from camera.supervised.slots import Slots
from camera.supervised.wire import frame_from_json, info_from_json


class SupervisedCamera:
    """A Camera (see camera.protocol) whose driver runs in a child process.

    The child is started by open(), kept over close() and open() (some drivers need seconds to come up), and replaced
    by the next open() where it died or was killed. It ends at end(), and with this process.
    Cost: about 0.2 ms a frame for the hops between the processes, and one copy of the picture, in the child.
    """

    def __init__(self, config: CameraConfig | Mapping[str, Any], opened: Callable[[int], object] | None = None) -> None:
        """`opened` takes the child's process id after each open(): it has come up, and frames are awaited now.

        Raises: CameraConfigError.
        """
        settings = check_config(config) if isinstance(config, Mapping) else config
        self._settings = settings.model_dump(mode="json")
        self._opened_in = opened
        self._driver: DriverProcess | None = None
        self._info: CameraInfo | None = None
        self._triggers_itself = settings.triggers_itself
        self._slots: Slots | None = None
        self._epoch = 0
        self._is_closed = False

    @property
    def info(self) -> CameraInfo:
        if self._info is None:
            raise RuntimeError("the camera's info is known after open()")
        return self._info

    @property
    def triggers_itself(self) -> bool:
        return self._triggers_itself

    @property
    def pid(self) -> int | None:
        """The driver's process, where one runs."""
        driver = self._driver
        return driver.pid if driver is not None and driver.is_alive else None

    def open(self) -> None:
        if self._driver is not None and self._driver.is_alive:
            try:
                self._open(self._driver)
            except CameraLost:
                if self._driver.is_alive:
                    raise
                # It died while nobody looked: it is replaced.
            else:
                return
        self._open(self._new_driver())

    def start(self) -> None:
        self._opened().ask("start")

    def trigger(self) -> None:
        self._opened().ask("trigger")

    def read(self, timeout_s: float) -> Frame:
        driver, slots = self._opened(), self._slots
        value, fds = driver.ask("read", timeout_s=timeout_s, slot=None if slots is None else slots.upcoming)
        try:
            if fds:
                self._slots = slots = Slots(fds[0], value["size"])
            if slots is None or value["shape"] is None:
                return frame_from_json(value, None, self._epoch)
            return frame_from_json(value, slots.view(value["slot"], value["shape"]), self._epoch)
        except (KeyError, OSError, TypeError, ValueError) as error:
            driver.end(0.0)
            raise CameraLost(f"the camera's driver answered nonsense ({error!r}) and was ended") from error

    def idle(self) -> None:
        """The child does it unasked."""

    def counters(self) -> Mapping[str, int]:
        value, _ = self._opened().ask("counters")
        return dict(value)

    def stop(self) -> None:
        if self._driver is not None and not self._is_closed:
            self._driver.ask("stop")

    def close(self) -> None:
        self._is_closed = True
        if self._driver is not None:
            self._driver.release()

    def end(self) -> None:
        """close(), and let the driver's process end; at most 4 seconds. open() starts another."""
        self.close()
        if self._driver is not None:
            self._driver.end()

    def _open(self, driver: DriverProcess) -> None:
        self._slots = None  # as the child does: whatever was under way when it was closed is forgotten
        self._is_closed = False
        driver.hold()
        (info, self._triggers_itself), _ = driver.ask("open")
        self._info = info_from_json(info)
        self._epoch += 1
        if self._opened_in is not None:
            self._opened_in(driver.pid)

    def _new_driver(self) -> DriverProcess:
        if self._driver is not None:
            self._driver.end(0.0)
        try:
            self._driver = driver = DriverProcess(self._settings)
        except OSError as error:
            raise CameraLost(f"no process can be started for the camera's driver: {error}") from error
        driver.make()
        return driver

    def _opened(self) -> DriverProcess:
        if self._driver is None:
            raise RuntimeError("the camera was never opened")
        if self._is_closed:
            raise CameraLost("the camera was closed")
        return self._driver
