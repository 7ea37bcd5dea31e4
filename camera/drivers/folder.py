"""Stored pictures, shown as if a camera took them."""

import os
import stat
from pathlib import Path

from camera.config import FolderConfig
from camera.errors import CameraConfigError, CameraLost, CameraNotFound
from camera.frame import FrameStatus, PixelFormat
from camera.pictures import Limits, UnreadablePicture, decode
from camera.protocol import CameraInfo
from camera.simulated import Shot, SimulatedCamera

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
"""Files with other names are no pictures of this camera; what a file really is, its first bytes tell."""


class FolderCamera(SimulatedCamera):
    """Each exposure shows the next file, in the order of the names with their subfolders.

    The list is made at open(); a file is read and decoded when its turn comes, and not kept. A file that gives no right
    picture gives a frame that says so, without pixels. Frame.source is the file's name with its subfolders, and
    Frame.truth["folder"] the subfolder alone ("" at the top), which in many collections is the label.
    """

    def __init__(self, config: FolderConfig) -> None:
        super().__init__(config)
        self._config = config
        self._files: tuple[Path, ...] = ()
        self._limits = Limits(config.picture_max_px, config.significant_bits)
        self._wanted = PixelFormat(config.pixel_format) if config.pixel_format else None

    def _reach(self) -> CameraInfo:
        folder = self._config.folder
        if not folder.exists():
            raise CameraNotFound(f"there is no folder {folder}")
        if not folder.is_dir():
            raise CameraConfigError(f"{folder} is a file; set folder to the folder that holds it")
        self._files = self._listed()
        if not self._files:
            raise CameraNotFound(f"there are no pictures in {folder}: put {', '.join(sorted(SUFFIXES))} files there")
        self._shutter.rewind(None if self._config.repeat else len(self._files))
        return CameraInfo("folder", f"{len(self._files)} stored pictures", str(folder), is_simulated=True)

    def _listed(self) -> tuple[Path, ...]:
        found: list[Path] = []

        def unreadable(error: OSError) -> None:
            raise CameraNotFound(f"the folder {error.filename} cannot be listed: {error.strerror}") from error

        for folder, _, names in os.walk(self._config.folder, onerror=unreadable):
            found += [Path(folder, name) for name in names if Path(name).suffix.lower() in SUFFIXES]
            if len(found) > self._config.files_max:
                raise CameraConfigError(
                    f"{self._config.folder} holds more than {self._config.files_max} pictures; "
                    "take a smaller folder or raise files_max"
                )
        return tuple(sorted(path.relative_to(self._config.folder) for path in found))

    def _shoot(self, number: int) -> Shot:
        name = self._files[number % len(self._files)]
        source, truth = name.as_posix(), {"folder": "" if name.parent == Path() else name.parent.as_posix()}
        try:
            pixels, pixel_format = decode(self._bytes(name), self._limits, self._wanted)
        except UnreadablePicture as error:
            detail = f"{source} cannot be shown: {error.detail}"
            return Shot(None, self._wanted or PixelFormat.BGR8, error.status, detail, source, truth)
        return Shot(pixels, pixel_format, source=source, truth=truth)

    def _bytes(self, name: Path) -> bytes:
        limit = self._config.file_max_bytes
        try:
            # Not to wait for ever where somebody named a pipe like a picture.
            with open(self._config.folder / name, "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise UnreadablePicture(FrameStatus.CORRUPT, "it is not a file")
                data = file.read(limit + 1)
        except OSError as error:
            if not self._config.folder.is_dir():
                raise CameraLost(f"the folder {self._config.folder} is gone") from error
            raise UnreadablePicture(FrameStatus.CORRUPT, f"reading it failed: {error.strerror}") from error
        if len(data) > limit:
            detail = f"it is larger than the {limit} bytes that file_max_bytes allows"
            raise UnreadablePicture(FrameStatus.CORRUPT, detail)
        return data


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
