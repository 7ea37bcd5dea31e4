"""A row that the broker refuses: when to try it again, and what to say meanwhile."""

import logging
import time
from typing import Final

from appliance.backoff import Backoff

_log = logging.getLogger(__name__)

_RETRY_FIRST_S: Final = 1.0
_RETRY_LAST_S: Final = 60.0


class Hold:
    """One thread; the attributes may be read by any."""

    def __init__(self) -> None:
        self._retry = Backoff(_RETRY_FIRST_S, _RETRY_LAST_S)
        self._until_ns = 0
        self.row: int | None = None
        """The refused row; None where there is none."""
        self.sentence: str | None = None
        """Why, and what to do."""

    def wait_s(self) -> float:
        """Seconds until it may be tried; 0 now."""
        if self.row is None:
            return 0.0
        return max(0.0, (self._until_ns - time.monotonic_ns()) / 1e9)

    def refused(self, row: int, sentence: str) -> None:
        """The broker does not take it: after ever longer waits it is tried again."""
        if self.wait_s() > 0:
            return  # one of those that were under way with it
        wait_s = self._retry.next_s()
        if sentence != self.sentence:
            _log.error("%s (next attempt in %.0f s)", sentence, wait_s)
        self.row, self.sentence = row, sentence
        self._until_ns = time.monotonic_ns() + int(wait_s * 1e9)

    def taken(self, row: int) -> bool:
        """The broker has everything up to `row`; True where that ends the wait."""
        if self.row is None or row < self.row:
            return False
        self.row, self.sentence = None, None
        self._until_ns = 0
        self._retry.reset()
        return True
