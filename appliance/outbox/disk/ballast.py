"""Room kept for bad times: on a full disk even deleting a row needs some."""

import os
from pathlib import Path
from typing import Final

_BYTES: Final = 2 * 1_048_576
"""As much as the write-ahead log may want when it is moved into a file that has to grow for it."""


class Ballast:
    """A file that does nothing but take up room, until it is let go."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"
        self._held = False

    def restore(self) -> None:
        """Take the room again, where the disk has it; costs nothing while it is held."""
        if self._held:
            return
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.posix_fallocate(descriptor, 0, _BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
        else:
            self._held = True

    def release(self) -> None:
        """Give the room to whoever needs it; does nothing where the disk refuses even this."""
        self._held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
