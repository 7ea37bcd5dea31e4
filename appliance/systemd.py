"""What systemd is told about this service, and what systemd hands to it.

Outside systemd a notification does nothing and returns False, so that callers need not ask where they run.
Threads: any. Cost: one local datagram. Only the service's main process may notify (NotifyAccess=main); its
children inherit the address and must not.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.errors import ConfigError

_log = logging.getLogger(__name__)

_STATUS_MAX_CHARACTERS: Final = 500
"""systemd reads 4096 bytes of a notification and drops longer ones whole; a character has at most 4 bytes."""
_SEND_TIMEOUT_S: Final = 1.0
_CREDENTIAL_MAX_BYTES: Final = 65_536


def ready(status: str) -> bool:
    """Say that the service does its work: after starting, and after each `reloading`."""
    return _notify(f"READY=1\nSTATUS={_one_line(status)}")


def status(text: str) -> bool:
    """Set the sentence that `systemctl status` shows."""
    return _notify(f"STATUS={_one_line(text)}")


def alive() -> bool:
    """Feed the watchdog. Only for work really done: a part judged, or a self-test on an idle line."""
    return _notify("WATCHDOG=1")


def reloading() -> bool:
    """Say that the settings are being read again; `ready` ends it."""
    return _notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping(status: str) -> bool:
    """Say that the service is on its way out, once, when that is decided."""
    return _notify(f"STOPPING=1\nSTATUS={_one_line(status)}")


def watchdog_period_s() -> float | None:
    """The longest time between two calls of `alive`, in seconds; None where this process is not watched.

    Raises: ConfigError.
    """
    watched = os.environ.get("WATCHDOG_PID")
    if watched is not None and watched != str(os.getpid()):
        return None  # the variable was inherited: it speaks of our parent
    period = os.environ.get("WATCHDOG_USEC")
    if period is None:
        return None
    if not period.isdecimal() or int(period) == 0:
        raise ConfigError(f"WATCHDOG_USEC is {period!r}, which is no number of microseconds: leave it to systemd")
    return int(period) / 1_000_000


def credential_file(name: str) -> Path | None:
    """Where systemd puts the secret of this name; None where it gives us none at all."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return None if folder is None else Path(folder) / name


def credential(name: str) -> str | None:
    """A secret from LoadCredential= of this name, without its last newline; None where there is none.

    Raises: ConfigError.
    """
    file = credential_file(name)
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            content = opened.read(_CREDENTIAL_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"The credential {name} cannot be read ({error.strerror}): look at LoadCredential= of the unit"
        ) from error
    if len(content) > _CREDENTIAL_MAX_BYTES:
        raise ConfigError(
            f"The credential {name} is longer than {_CREDENTIAL_MAX_BYTES} bytes: it is not a password file"
        )
    try:
        return content.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"The credential {name} is not UTF-8 text: write the secret, and nothing else, into its file"
        ) from error


def _one_line(text: str) -> str:
    """A newline would begin another assignment; a lone surrogate (from a file's name) cannot be sent."""
    return " ".join(text.split())[:_STATUS_MAX_CHARACTERS].encode(errors="replace").decode()


def _notify(message: str) -> bool:
    try:
        return _send(message)
    except OSError as error:
        # The line goes on: at worst the watchdog restarts it, and then the reason stands here.
        _log.warning("systemd did not take %r: %s", message.partition("\n")[0], error)
        return False


def _send_datagram(message: str) -> bool:
    """The protocol of sd_notify(3), for where systemd-python could not be built."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_SEND_TIMEOUT_S)
        sender.connect(address)
        sender.sendall(message.encode())
    return True


def _sender() -> Callable[[str], bool]:
    try:
        from systemd import daemon
    except ImportError:
        return _send_datagram
    return lambda message: bool(daemon.notify(message))


_send = _sender()
