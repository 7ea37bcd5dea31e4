"""The delivery process: joins the line's link, the control socket and every delivered model. The line starts it.

Nothing here is in a hurry: it comes after everybody else on the box, and the line goes on without it.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.config import ApplianceConfig
from appliance.delivery.candidate import Frames
from appliance.delivery.commands import Commands
from appliance.delivery.line import Line
from appliance.delivery.model import ModelDelivery
from appliance.delivery.timing import Turn
from appliance.link import Link, Message
from appliance.registry.remote.pace import RateLimiter
from appliance.status import LineStatus
from appliance.steering.server import ControlServer

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.5
_SHOWN_S: Final = 0.5
"""The document is told so often at most, while a download counts its bytes."""
_SEEN_TO_S: Final = 5.0
_JOIN_S: Final = 10.0


class Delivery:
    """run() is the process' main thread."""

    def __init__(self, config: ApplianceConfig, config_file: Path, link: Link, frames: Frames | None) -> None:
        """Opens the stores. Raises: StoreError, NoSpace, KeyUnusable, ConfigError."""
        self._config = config
        self._link = link
        self._line = Line(link)
        self._shown = threading.Event()
        self._crashed: str | None = None
        config.control_socket.parent.mkdir(parents=True, exist_ok=True)
        rate = config.delivery.rate_limit_mbit
        limiter = None if rate is None else RateLimiter(rate * 1e6 / 8)
        turn = Turn()
        self._models = {
            name: ModelDelivery(name, config, config_file, self._line, frames, turn, limiter, self._shown.set)
            for name in config.delivered
        }
        self._commands = Commands(config.station.name, self._models)
        self._server = ControlServer(config.control_socket, self._commands.handle)

    def run(self) -> int:
        """Until the line is gone, or says that it ends. Returns the process' exit code."""
        threads = [
            threading.Thread(target=self._guarded, args=(name, body), name=name, daemon=True)
            for model in self._models.values()
            for name, body in model.threads().items()
        ]
        self._server.start()
        for thread in threads:
            thread.start()
        try:
            self._listen()
        finally:
            for model in self._models.values():
                model.stop()
            for thread in threads:
                thread.join(_JOIN_S)
            self._server.stop()
            for model in self._models.values():
                model.close()
        return 1 if self._crashed else 0

    def _listen(self) -> None:
        self._shown.set()
        shown_s = seen_to_s = 0.0
        while self._crashed is None:
            try:
                message = self._link.receive(_TICK_S)
            except TimeoutError:
                message = Message("", {})
            if message is None or message.kind == "stop":
                return
            if message.kind == "status":
                self._line.take(LineStatus.from_json(json.dumps(message.body).encode()))
                for model in self._models.values():
                    model.course.wake()
            now = time.monotonic()
            if now - seen_to_s > _SEEN_TO_S:
                seen_to_s = now
                self._see_to_revocations()
            if self._shown.is_set() and now - shown_s > _SHOWN_S:
                self._shown.clear()
                shown_s = now
                self._server.tell(self._commands.document())
            self._line.tell()

    def _see_to_revocations(self) -> None:
        for model in self._models.values():
            model.leave_revoked()

    def _guarded(self, name: str, body: Callable[[], None]) -> None:
        """The boundary of each thread: a defect ends the process, and the line starts it again where it was."""
        try:
            body()
        except Exception:
            logger.critical("The thread %s failed; the delivery process ends.", name, exc_info=True)
            self._crashed = name


def stand_back() -> None:
    """This process, and what it starts, after everybody else on processor and disk."""
    os.setpriority(os.PRIO_PROCESS, 0, 15)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
