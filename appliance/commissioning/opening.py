"""The camera, opened as the line opens it: its driver in a process of its own."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from appliance.commissioning.choosing import Chosen, is_shown_only
from appliance.commissioning.errors import CommissioningError
from camera.errors import CameraError, CameraInUse, CameraNotFound
from camera.supervised import SupervisedCamera

_ASK_S: Final = 1.0
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask who listens there


@contextmanager
def opened(chosen: Chosen) -> Iterator[SupervisedCamera]:
    """Ended afterwards. Raises: CommissioningError, which says who has the camera where that is known."""
    camera = SupervisedCamera(chosen.settings)
    try:
        camera.open()
        yield camera
    except CameraError as error:
        raise CommissioningError(explained(error, chosen)) from error
    finally:
        camera.end()


def explained(error: CameraError, chosen: Chosen) -> str:
    """The driver's sentence, and what the appliance on this box has to do with it."""
    if isinstance(error, CameraInUse | CameraNotFound) and not is_shown_only(chosen.settings) and line_runs(chosen):
        return (
            f"{error}. The line runs on this box and has camera {chosen.name}. To get a picture, stop the line "
            "(systemctl stop appliance; parts are not inspected meanwhile), do this again, and start it "
            "(systemctl start appliance)"
        )
    if isinstance(error, CameraInUse):
        return f"{error}. If the line has it: systemctl stop appliance, do this again, systemctl start appliance"
    return str(error)


def line_runs(chosen: Chosen) -> bool:
    """Whether the appliance of this file answers on its port."""
    if chosen.config is None:
        return False
    settings = chosen.config.http
    connection = http.client.HTTPConnection(_ANYWHERE.get(settings.host, settings.host), settings.port, timeout=_ASK_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
