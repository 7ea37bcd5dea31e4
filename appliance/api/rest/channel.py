"""A connection whose errors are JSON, and whose request bodies share one budget of memory with all others'."""

import threading
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import Error

from appliance.api.rest.writing import error_text


class Bodies:
    """How many bytes of request bodies may be held at once. Threads: any."""

    def __init__(self, limit_bytes: int) -> None:
        self._lock = threading.Lock()
        self._free_bytes = limit_bytes  # guarded by _lock

    def take(self, size_bytes: int) -> bool:
        """Whether there was room."""
        with self._lock:
            if size_bytes > self._free_bytes:
                return False
            self._free_bytes -= size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        """What was taken before."""
        with self._lock:
            self._free_bytes += size_bytes


class NoRoom(Error):  # type: ignore[misc]
    """In the form in which waitress keeps what is wrong with a request."""

    code = 429
    reason = "Too Many Requests"


class JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """What cannot be handed to the application is answered in its form all the same."""

    def execute(self) -> None:
        """Called by waitress on a thread of its own."""
        error = self.request.error
        body = error_text(f"{error.reason}: {error.body}").encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def channel_class(bodies: Bodies) -> type[HTTPChannel]:
    """Waitress makes connections of a class; this one knows the budget."""

    class Parser(HTTPRequestParser):  # type: ignore[misc]
        """Takes from the budget what arrives, and not what is announced: announcing costs a client nothing."""

        error: Any
        taken_bytes = 0

        def received(self, data: bytes) -> int:
            consumed: int = super().received(data)
            more = self.body_bytes_received - self.taken_bytes
            if self.error is None and more > 0:
                if bodies.take(more):
                    self.taken_bytes += more
                else:
                    self.error = NoRoom("the requests under way fill the memory for bodies; ask again later.")
                    self.completed = True
            return consumed

        def close(self) -> None:
            bodies.give_back(self.taken_bytes)
            self.taken_bytes = 0
            super().close()

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class = Parser
        error_task_class = JsonErrorTask
        request: Any

        def handle_close(self) -> None:
            unfinished, self.request = self.request, None
            if unfinished is not None:
                unfinished.close()
            super().handle_close()

        def cancel(self) -> None:
            _close_all(self.requests)
            super().cancel()

    return Channel


def _close_all(requests: list[Any]) -> None:
    for request in requests:
        request.close()
