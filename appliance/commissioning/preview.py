"""`appliance camera preview`: a page of this computer's with the live picture."""

import errno
import ipaddress
import signal
import threading
from argparse import Namespace
from typing import Final

from appliance.api.errors import ApiError
from appliance.api.preview import preview_app
from appliance.api.server import HttpServer
from appliance.commissioning.choosing import choose
from appliance.commissioning.errors import CommissioningError
from appliance.commissioning.opening import explained
from appliance.commissioning.showing import Showing
from appliance.commissioning.watching import Watching
from camera.errors import CameraError
from camera.supervised import SupervisedCamera

_RATE_HZ: Final = 10.0
_ANYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - to be recognized


def preview(options: Namespace) -> int:
    """Until Ctrl-C or SIGTERM. Returns the exit code. Raises: ConfigError, CommissioningError."""
    host = _address(options.host)
    chosen = choose(options)
    camera = SupervisedCamera(chosen.settings)
    watching = Watching(camera, options.rate or min(_RATE_HZ, chosen.needed_hz or _RATE_HZ))
    try:
        print(f"Opening camera {chosen.name} …", flush=True)
        camera.open()
        server = HttpServer(preview_app(Showing(watching, chosen, camera.info)), host, options.port)
    except CameraError as error:
        watching.stop()
        raise CommissioningError(explained(error, chosen)) from error
    except ApiError as error:
        watching.stop()
        raise CommissioningError(_cannot_listen(host, options.port, error)) from error
    watching.start()
    server.start()
    try:
        where = "THIS-COMPUTER" if host in _ANYWHERE else f"[{host}]" if ":" in host else host
        print(f"The preview is at http://{where}:{server.port}/   (Ctrl-C ends it)", flush=True)
        _until_told()
    finally:
        server.stop(1.0)
        watching.stop()
    return 0


def _until_told() -> None:
    over = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: over.set())
    over.wait()


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise CommissioningError(
            f"--host {host!r} is not an IP address; 127.0.0.1 is this computer only, 0.0.0.0 every network it is on."
        ) from None


def _cannot_listen(host: str, port: int, error: ApiError) -> str:
    cause = error.__cause__
    match cause.errno if isinstance(cause, OSError) else None:
        case errno.EADDRINUSE:
            return (
                f"Another program has port {port} (ss -ltnp 'sport = :{port}' names it): give another with --port, or "
                "--port 0 for any free one."
            )
        case errno.EADDRNOTAVAIL:
            return f"This computer has no address {host}: give one of its own with --host, or 0.0.0.0 for all of them."
        case errno.EACCES:
            return f"Port {port} is only for root: give one above 1023 with --port."
        case _:
            return f"The preview cannot listen on {host} port {port}: {cause}."
