"""The camera's password: read when the camera is opened, put into its address in memory, and nowhere else."""

import os
from pathlib import Path
from urllib.parse import quote

from camera.config import OpencvConfig
from camera.errors import CameraConfigError


def address(config: OpencvConfig) -> str:
    """The URL with the login in it: for OpenCV only, never for people. Raises: CameraConfigError."""
    if config.username is None or config.password_file is None:
        return config.url
    scheme, _, rest = config.url.partition("://")
    login = f"{quote(config.username, safe='')}:{quote(_password(config.password_file), safe='')}"
    return f"{scheme}://{login}@{rest}"


def _password(file: Path) -> str:
    """What stands in the file, or in the systemd credential of that name. Raises: CameraConfigError."""
    path = file if file.is_absolute() else Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials")) / file
    try:
        password = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not text"
        hint = "" if file.is_absolute() else " (a name without / is a systemd credential: LoadCredential= of the unit)"
        raise CameraConfigError(f"the camera's password cannot be read from {path}: {what}{hint}") from None
    if not password or len(password) > 256 or not password.isprintable():
        raise CameraConfigError(f"what stands in {path} is no password: one line of 1 to 256 characters")
    return password
