"""The other end of the control socket: the gateway's."""

from collections.abc import Callable
from pathlib import Path

from appliance.steering.document import Document
from appliance.steering.requests import Answer, Request


class ControlClient:
    """Any thread may ask; one thread watches. A delivery process that is away is an answer, not an exception."""

    def __init__(self, path: Path) -> None:
        """`path`: the delivery process' socket; it need not be there yet."""
        self._path = path

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """Ask once, on a connection of its own; 503 with a sentence where nobody answers within `timeout_s`."""
        raise NotImplementedError

    def watch(self, took: Callable[[Document], None], lost: Callable[[str], None]) -> None:
        """Until close(): `took` each new document, `lost` with a sentence when the other side is away; a thread's body."""
        raise NotImplementedError

    def close(self) -> None:
        """End watch(); from any thread."""
        raise NotImplementedError
