"""The text-format files that flags name."""

from pathlib import Path
from typing import Any, Final

from appliance.dataplane.errors import Code, RequestError
from appliance.errors import ApplianceError
from appliance.protos import parse_text

_MAX_BYTES: Final = 4 << 20


def read_message(name: str, path: Path) -> Any:
    """The message `name` that a file holds as text. Raises: RequestError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(Code.NOT_FOUND, f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > _MAX_BYTES:
        raise RequestError(Code.INVALID_ARGUMENT, f"{path} is longer than {_MAX_BYTES} bytes: it is no {name}")
    try:
        return parse_text(name, content.decode())
    except UnicodeDecodeError as error:
        raise RequestError(
            Code.INVALID_ARGUMENT, f"Error parsing text-format {name}: {path} is not UTF-8 text"
        ) from error
    except ApplianceError as error:
        raise RequestError(Code.INVALID_ARGUMENT, f"{error} (in {path})") from error
