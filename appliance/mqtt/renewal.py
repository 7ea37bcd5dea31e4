"""Whether the files that a connection was made with are still the ones on the disk."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance import systemd
from appliance.errors import ConfigError
from appliance.mqtt.config import MqttConfig
from appliance.mqtt.credentials import password, tls_context

_MAX_BYTES: Final = 1_048_576

_Look = tuple[tuple[int, int, int] | None, ...]


class Secrets:
    """The password and the certificates, as they were when it was made. One thread."""

    def __init__(self, config: MqttConfig) -> None:
        self._config = config
        self._look = _look_at(self._files())
        self._content = _digest(self._files())
        self._last_look = self._look

    def are_renewed(self) -> bool:
        """Whether there are others now, that can be used and have not changed since the last time this was asked.

        Some stat() calls; milliseconds where a file has changed. Raises: ConfigError (there are others, and they
        cannot be used, or not together: somebody may be in the middle of writing them).
        """
        files = self._files()
        look, before = _look_at(files), self._last_look
        self._last_look = look
        if look == self._look:
            return False
        if look != before:
            return False  # whoever writes them may write on
        if _digest(files) == self._content:
            self._look = look
            return False
        try:
            password(self._config.password_file)
            if self._config.tls is not None:
                tls_context(self._config.tls)
        except ConfigError as error:
            msg = f"{error}; the connection that was made with the old ones goes on"
            raise ConfigError(msg) from error
        return True

    def _files(self) -> Sequence[Path]:
        tls = self._config.tls
        files = [] if tls is None else [tls.ca_file, tls.certificate_file, tls.key_file]
        secret = self._config.password_file
        if secret is not None:
            files.append(Path(secret) if "/" in secret else systemd.credential_file(secret))
        return [file for file in files if file is not None]


def _look_at(files: Sequence[Path]) -> _Look:
    """Follows links: a renewal often is a link that points elsewhere."""
    return tuple(map(_stat, files))


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - each two seconds, for ever
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _digest(files: Sequence[Path]) -> bytes:
    whole = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as opened:
                content = opened.read(_MAX_BYTES)
        except OSError:
            content = b""
        whole.update(hashlib.sha256(content).digest())
    return whole.digest()
