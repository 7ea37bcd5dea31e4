"""The file with the ModelServerConfig: read at the start, on request, and every so often where that is wished."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.dataplane.errors import Code, RequestError
from appliance.errors import ApplianceError
from appliance.protos import parse_text

logger = logging.getLogger(__name__)

_MAX_BYTES: Final = 4 << 20
_AGAIN_S: Final = 30.0
"""A text that could not be applied is tried again after so long: its model may have arrived meanwhile."""


class ConfigFile:
    """Applies the file's text when it has changed.

    A text that is broken or cannot be applied is reported once, and what serves goes on serving; it is tried again
    when it has changed, or after half a minute.
    Threads: read() and apply() belong to any, one at a time applies; watch() is the body of the owner's thread.
    """

    def __init__(self, path: Path, reload: Callable[[Any], None]) -> None:
        """`reload` takes a tensorflow.serving.ModelServerConfig and raises RequestError."""
        self._path = path
        self._reload = reload
        self._applying = threading.Lock()
        self._applied: str | None = None  # guarded by _applying, as below
        self._failed: str | None = None
        self._again_s = 0.0
        self._told: str | None = None

    def read(self) -> Any:
        """The configuration, taken as applied: the start's. Raises: RequestError."""
        text = self._text()
        message = _parse(text)
        with self._applying:
            self._applied = text
        return message

    def apply(self, *, forced: bool = False) -> None:
        """Apply the text if it has changed, or in any case. Never raises: what is wrong is logged, once."""
        with self._applying:
            try:
                self._apply(forced=forced)
            except ApplianceError as error:
                if forced or self._told != str(error):
                    logger.warning("%s was not applied, and what serves goes on serving: %s", self._path, error)
                self._told = str(error)

    def watch(self, stop: threading.Event, interval_s: float) -> None:
        """Look every `interval_s` until `stop` is set."""
        while not stop.wait(interval_s):
            self.apply()

    def _apply(self, *, forced: bool) -> None:
        text = self._text()
        if not forced:
            is_waiting = text == self._failed and time.monotonic() < self._again_s
            if text == self._applied or is_waiting:
                return
        self._failed, self._again_s = text, time.monotonic() + _AGAIN_S
        self._reload(_parse(text))
        self._applied, self._failed, self._told = text, None, None
        logger.info("%s is applied", self._path)

    def _text(self) -> str:
        try:
            with self._path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise RequestError(Code.NOT_FOUND, f"{self._path} cannot be read: {error.strerror or error}") from error
        if len(content) > _MAX_BYTES:
            raise RequestError(Code.INVALID_ARGUMENT, f"{self._path} is longer than {_MAX_BYTES} bytes")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise RequestError(
                Code.INVALID_ARGUMENT,
                f"Error parsing text-format tensorflow.serving.ModelServerConfig: {self._path} is not UTF-8 text",
            ) from error


def _parse(text: str) -> Any:
    try:
        return parse_text("tensorflow.serving.ModelServerConfig", text)
    except ApplianceError as error:
        raise RequestError(Code.INVALID_ARGUMENT, str(error)) from error
