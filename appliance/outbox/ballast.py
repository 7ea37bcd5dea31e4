"""Room kept for bad times: on a full disk even deleting a row needs some."""

import os
from pathlib import Path
from typing import Final

_BYTES: Final = 1_048_576


class Ballast:
    """A file that does nothing but take up room, until it is let go."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def restore(self) -> bool:
        """Take the room again; False where the disk has none to give."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.posix_fallocate(descriptor, 0, _BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the room to whoever needs it; does nothing where the disk refuses even this."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
