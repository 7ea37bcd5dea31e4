"""The other side's: the line's models as a backend of the data plane, behind a bounded queue."""

import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from appliance.dataplane import Code, Outline, RequestError
from appliance.dataplane.errors import request_error
from appliance.dataplane.local import check_deadline
from appliance.lending.call import Call
from appliance.lending.lender import NEWS_HEAD_MAX
from appliance.lending.news import Key, News
from appliance.lending.wire import Connection, Limits, WireError, size_of, strings_in
from appliance.runtimes.memory import aligned
from appliance.runtimes.model import Array
from appliance.serving import NotServing, ServableId, ServableState

logger = logging.getLogger(__name__)

_ANSWER_HEAD_MAX = 16 << 20


class RemoteBackend:
    """Threads: hear() is the body of one; every other method may be called from any.

    Borrowing asks nobody: what the line told last is at hand. Only run() goes over the wire, and costs some 0.1 ms
    beside the model.
    """

    def __init__(
        self, news: socket.socket, workers: Sequence[socket.socket], *, limits: Limits, queued_max: int
    ) -> None:
        """`limits` of a request, and for its bytes of an answer; `queued_max`: requests that may wait."""
        self._limits = limits
        self._queued_max = queued_max
        self._news_connection = Connection(news, _room, head_max=NEWS_HEAD_MAX, limits=Limits(0))
        self._connections = [
            Connection(one, _room, head_max=_ANSWER_HEAD_MAX, limits=Limits(limits.body_bytes)) for one in workers
        ]
        self._news = News()
        self._known = False
        self._free = threading.Condition()
        self._idle = list(self._connections)  # guarded by _free, as the two below
        self._waiting = 0
        self._gone = False

    def hear(self) -> None:
        """Take in what the line tells, until it is gone or talks nonsense. From then on requests are UNAVAILABLE."""
        try:
            while (message := self._news_connection.receive()) is not None:
                self._take(message[0])
        except (WireError, ValueError, KeyError, TypeError) as error:
            logger.error("What the line tells cannot be understood: %s.", error)  # noqa: TRY400 - the sentence says it
        finally:
            self.close()

    @property
    def is_known(self) -> bool:
        """Whether the line has told which models there are."""
        return self._known

    @property
    def gone(self) -> bool:
        """Whether the line is gone, or has ended this life of ours: nothing is answered any more."""
        return self._gone

    def close(self) -> None:
        """Everybody who waits hears that the line is gone. May be called twice."""
        with self._free:
            self._gone = True
            self._free.notify_all()
        for connection in (self._news_connection, *self._connections):
            connection.close()

    @contextmanager
    def borrow(self, name: str, version: int | None) -> Iterator["RemoteBorrowed"]:
        """See `Backend`. The version is pinned by the line while it runs, and not before."""
        news = self._news
        exact = news.latest.get(name) if version is None else version
        digest = None if exact is None else news.loaded.get((name, exact))
        if exact is None or digest is None:
            error = NotServing(name, version)
            raise request_error(error) from error
        outline = news.outlines[name, exact, digest]
        yield RemoteBorrowed(self, ServableId(name, exact), outline, is_latest=version is None)

    def labels(self, name: str) -> Mapping[str, int]:
        """See `Backend`."""
        return self._news.labels.get(name, {})

    def states(self, name: str | None = None) -> Sequence[ServableState]:
        """See `Backend`; as the line told last, some milliseconds ago."""
        return [state for state in self._news.states if name is None or state.id.name == name]

    def ask(self, call: Call, inputs: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Wait for a free connection, send, and return the answer. Raises: RequestError."""
        self._check_size(inputs)
        with self._connection(call.deadline_s) as connection:
            try:
                connection.send(call.as_json(), inputs)
                answer = connection.receive()
            except (OSError, WireError) as error:
                self.close()
                raise _unavailable() from error
        if answer is None:
            self.close()
            raise _unavailable()
        head, outputs = answer
        if "code" in head:
            raise RequestError(Code(head["code"]), str(head["message"]))
        return head, outputs

    def _check_size(self, inputs: Mapping[str, Array]) -> None:
        """Raises: RequestError."""
        strings, strings_max = strings_in(inputs.values()), self._limits.strings
        if strings_max is not None and strings > strings_max:
            raise RequestError(
                Code.RESOURCE_EXHAUSTED,
                f"The request has {strings} strings; this box takes {strings_max} at once "
                "(serving.max_request_strings). Ask in several requests.",
            )
        size = size_of(inputs.values())
        if size > self._limits.body_bytes:
            raise RequestError(
                Code.RESOURCE_EXHAUSTED,
                f"The request's tensors have {size} bytes; this box takes {self._limits.body_bytes} "
                "(serving.max_request_mb).",
            )

    @contextmanager
    def _connection(self, deadline_s: float | None) -> Iterator[Connection]:
        """Raises: RequestError, before there is one."""
        with self._free:
            if not self._idle and self._waiting >= self._queued_max:
                raise RequestError(
                    Code.RESOURCE_EXHAUSTED,
                    f"{self._waiting} requests wait already (serving.max_queued); ask again later, or less often.",
                )
            self._waiting += 1
            try:
                while not self._idle and not self._gone:
                    check_deadline(deadline_s)
                    self._free.wait(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))
            finally:
                self._waiting -= 1
            if self._gone:
                raise _unavailable()
            connection = self._idle.pop()
        try:
            yield connection
        finally:
            with self._free:
                self._idle.append(connection)
                self._free.notify()

    def _take(self, head: Mapping[str, Any]) -> None:
        news = News.from_json(head)
        outlines: dict[Key, Outline] = {**self._news.outlines, **news.outlines}
        kept = {key: outlines[key] for key in ((*pair, digest) for pair, digest in news.loaded.items())}
        self._news = replace(news, outlines=kept)
        self._known = True


class RemoteBorrowed:
    """One version of the line's, for one request."""

    __slots__ = ("_backend", "_is_latest", "id", "outline")

    def __init__(self, backend: RemoteBackend, id: ServableId, outline: Outline, *, is_latest: bool) -> None:  # noqa: A002
        """`is_latest`: no version was asked for, and whichever is the latest when it runs may answer."""
        self.id = id
        self.outline = outline
        self._backend = backend
        self._is_latest = is_latest

    def run(
        self,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> dict[str, Array]:
        """See `Borrowed`."""
        return self._ask(self._call((signature,), outputs, deadline_s), inputs)

    def run_together(
        self, signatures: Sequence[str], inputs: Mapping[str, Array], *, deadline_s: float | None = None
    ) -> dict[str, dict[str, Array]]:
        """See `Borrowed`."""
        found = self._ask(replace(self._call(signatures, None, deadline_s), together=True), inputs)
        outputs: dict[str, dict[str, Array]] = {key: {} for key in signatures}
        for place, array in found.items():
            index, _, alias = place.partition("/")
            outputs[signatures[int(index)]][alias] = array
        return outputs

    def _call(self, signatures: Sequence[str], outputs: Sequence[str] | None, deadline_s: float | None) -> Call:
        version = None if self._is_latest else self.id.version
        return Call(self.id.name, version, self.outline.digest, list(signatures), outputs, deadline_s)

    def _ask(self, call: Call, inputs: Mapping[str, Array]) -> dict[str, Array]:
        check_deadline(call.deadline_s)
        head, outputs = self._backend.ask(call, inputs)
        self.id = ServableId(self.id.name, int(head["version"]))
        return outputs


def _room(size: int) -> Array:
    return aligned((size,), np.dtype(np.uint8))


def _unavailable() -> RequestError:
    return RequestError(Code.UNAVAILABLE, "The line's process is gone; it is started again. Ask again in a moment.")
