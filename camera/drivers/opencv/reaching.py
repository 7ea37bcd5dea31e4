"""Why a network camera did not open: OpenCV says only that it did not."""

import socket
from urllib.parse import urlsplit

from camera.errors import CameraConfigError, CameraError, CameraNotFound

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_ASKS = {"rtsp": "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n", "http": "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"}
_STATUS_LINE_MAX = 256


def why_not(url: str, *, has_login: bool, timeout_s: float) -> CameraError:
    """Ask the address once more, without a login, and say what it answers; at most 2 * `timeout_s`.

    `url`: without a login.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            said = _answer(connection, parts.scheme, url, parts.path or "/", host)
    except socket.gaierror as error:
        return CameraNotFound(f"the name of {url} is not known: {error.strerror}; check the address and the DNS")
    except TimeoutError:
        return CameraNotFound(
            f"nothing answers at {host}:{port} of {url}; check the cable, the address and the network"
        )
    except OSError as error:
        return CameraNotFound(f"{url} does not answer: {error.strerror or error}; check the address and the port")
    return _in_words(url, said, has_login=has_login)


def _answer(connection: socket.socket, scheme: str, url: str, path: str, host: str) -> str:
    """The status line; empty where it says nothing, or speaks TLS."""
    if scheme not in _ASKS:
        return ""
    connection.sendall(_ASKS[scheme].format(url=url, path=path, host=host).encode())
    try:
        said = connection.recv(_STATUS_LINE_MAX)
    except TimeoutError:
        return ""
    return said.decode("ascii", "replace").partition("\r\n")[0]


def _in_words(url: str, said: str, *, has_login: bool) -> CameraError:
    code = said.split(" ")[1] if said.count(" ") >= 1 else ""
    if code in ("401", "403"):
        if has_login:
            return CameraConfigError(f"{url} refuses this username and password; put the right ones into the settings")
        return CameraConfigError(f"{url} asks for a login; set username and password_file")
    if code == "404":
        return CameraNotFound(f"{url} is not there: the camera answers, but not to this path (404)")
    if code == "200":
        return CameraNotFound(f"{url} answers, but gave no pictures that can be decoded in time")
    if not said:
        return CameraNotFound(f"{url} can be connected to, but gives no answer")
    return CameraNotFound(f"{url} answers {said!r} instead of pictures")
