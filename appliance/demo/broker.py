"""A private Mosquitto on loopback, as a child of the demo."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from appliance.errors import ApplianceError

_PLACES: Final = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
_START_S: Final = 5.0


class BrokerError(ApplianceError):
    """The demo's broker is not there or does not start."""


class Broker:
    """Started by start(), on a free port; ended by stop()."""

    def __init__(self, folder: Path) -> None:
        """`folder` takes its configuration and log."""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Raises: BrokerError."""
        program = shutil.which("mosquitto") or next((place for place in _PLACES if Path(place).exists()), None)
        if program is None:
            raise BrokerError("The broker Mosquitto is not installed: apt-get install mosquitto")
        self.port = _free_port()
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n", encoding="utf-8"
        )
        with (self._folder / "mosquitto.log").open("wb") as log:
            # A session of its own: Ctrl-C is for the line, which still has results to deliver.
            self._process = subprocess.Popen(
                [program, "-c", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._wait()

    def stop(self) -> None:
        """End it. May be called twice."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5.0)
            self._process = None

    def _wait(self) -> None:
        limit = time.monotonic() + _START_S
        while time.monotonic() < limit:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise BrokerError(f"Mosquitto did not start; its log is {self._folder / 'mosquitto.log'}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
