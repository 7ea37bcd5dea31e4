"""One process at a time for one job on one folder."""

import fcntl
import os
from pathlib import Path

from appliance.outbox.errors import OutboxInUse


class ProcessLock:
    """Held from take() to release(), or to the end of the process however it ends."""

    def __init__(self, path: Path, holder: str) -> None:
        """`holder` is who has it when we do not: it begins the sentence of OutboxInUse."""
        self._path = path
        self._holder = holder
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises OutboxInUse, OSError; does nothing where it is held already."""
        if self._descriptor is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            msg = f"{self._holder} the outbox {self._path.parent}: stop it, or give this appliance its own folder"
            raise OutboxInUse(msg) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """May be called without take()."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
