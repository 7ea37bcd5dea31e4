"""bdSeq: the number of a session, by which hosts know which death belongs to which birth."""

import logging
from pathlib import Path
from typing import Final

from appliance.outbox import smallfile

_log = logging.getLogger(__name__)

FILE_NAME: Final = "sparkplug.json"
_NUMBERS: Final = 256


class SessionNumbers:
    """One thread. The number is on the disk before anybody hears of it, so that a restart goes on behind it."""

    def __init__(self, folder: Path) -> None:
        """The folder is there when the first number is taken. Nothing is read before."""
        self._path = folder / FILE_NAME
        self._last: int | None = None
        self._is_used = True
        self._was_read = False

    def take(self) -> int:
        """The number for the next CONNECT: the same again where the one before was not used; milliseconds.

        On a disk that fails it still counts up: then two lives of this process may use one number.
        """
        if not self._was_read:
            self._last, self._was_read = self._read(), True
        if self._last is not None and not self._is_used:
            return self._last
        self._last = 0 if self._last is None else (self._last + 1) % _NUMBERS
        self._is_used = False
        try:
            smallfile.replace(self._path, {"bd_seq": self._last})
        except OSError as error:
            _log.warning("bdSeq %d cannot be kept in %s (%s): it may come again", self._last, self._path, error)
        return self._last

    def used(self) -> None:
        """A server has seen the number that was taken last."""
        self._is_used = True

    def _read(self) -> int | None:
        try:
            kept = smallfile.read(self._path)
        except OSError as error:
            _log.warning("bdSeq cannot be read from %s (%s): it begins anew", self._path, error)
            return None
        return None if kept is None else int(kept["bd_seq"]) % _NUMBERS
