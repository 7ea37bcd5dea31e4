"""The name under which this box is known to the broker."""

import logging
import re
import uuid
from pathlib import Path
from typing import Final

from appliance.outbox import smallfile

_log = logging.getLogger(__name__)

FILE_NAME: Final = "client-id"


def client_id(folder: Path, station: str) -> str:
    """The station's name and a number of this installation, made at the first start and kept in `folder`.

    A box that was set up as a copy of another has its name, and not its number, once the file is deleted there.
    """
    path = folder / FILE_NAME
    try:
        kept = smallfile.read(path)
        number = None if kept is None else str(kept["installation"])
        if number is None:
            number = uuid.uuid4().hex
            folder.mkdir(parents=True, exist_ok=True)
            smallfile.replace(path, {"installation": number})
    except OSError as error:
        number = uuid.uuid4().hex
        _log.warning("the client id for MQTT cannot be kept in %s (%s): it is a new one at each start", path, error)
    return f"{re.sub(r'[^0-9A-Za-z-]', '-', station)[:40]}-{number[:12]}"
