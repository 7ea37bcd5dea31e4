"""The delivery process' end of the control socket: answers requests, and tells watchers the newest document."""

from collections.abc import Callable
from pathlib import Path

from appliance.steering.document import Document
from appliance.steering.requests import Answer, Request


class ControlServer:
    """A Unix stream socket, mode 0660.

    Threads: one accepts, one serves each connection (at most 16); start() and stop() by one thread, tell() by any.
    `handle` is called on those threads, never two at once; it should answer within a second. An ApplianceError that
    it raises becomes a 503 with its sentence, anything else a 500 and a trace in the log.
    """

    def __init__(self, path: Path, handle: Callable[[Request], Answer]) -> None:
        """Nothing is opened before start(). `path` may be of any length."""
        self._path = path
        self._handle = handle

    def start(self) -> None:
        """Listen; a socket that another life has left there is replaced. Raises: SocketFailed."""
        raise NotImplementedError

    def tell(self, document: Document) -> None:
        """Make this the newest document: watchers get it, and those to come. Never waits for anybody.

        A watcher that has not taken one for 5 s is dropped; documents that were overtaken are skipped.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Close everything, take the socket's name away; its threads have ended then."""
        raise NotImplementedError
