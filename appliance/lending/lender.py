"""The line's side: a few threads that run other people's requests on the line's own models, and come after the line.

They hold the interpreter's lock for some ten microseconds a request: what waits, moves bytes or runs a model does so
without it. A version is borrowed only while it runs, so a client that takes its answer slowly holds up no change of
models. What is no request ends the process that sent it, which is then started anew; never the line.
"""

import contextlib
import logging
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance import scheduling
from appliance.dataplane import Code, Outline, RequestError
from appliance.dataplane.local import LocalBackend, LocalBorrowed
from appliance.lending.arena import Arena
from appliance.lending.call import Call
from appliance.lending.news import Key, News
from appliance.lending.wire import Connection, Limits, WireError, size_of
from appliance.runtimes.errors import InvalidInput
from appliance.runtimes.model import Array, Signature, check_names, signature_of
from appliance.serving import ManagerState, ServableState

logger = logging.getLogger(__name__)

REQUEST_HEAD_MAX: Final = 65_536
"""Reading so much JSON takes less than a millisecond of the interpreter's lock."""
NEWS_HEAD_MAX: Final = 64 << 20
_LOOK_AGAIN_S: Final = 1.0
"""News goes out when a version changes, and so often in any case where something else did (labels)."""


class Life:
    """One borrower's connections, from its start to its end."""

    def __init__(self, workers: int, wake: threading.Event) -> None:
        """`wake`: set when it ends."""
        self._wake = wake
        self.theirs: list[socket.socket] = []
        """For the child to inherit: the first one carries news, each other one requests."""
        self.ours: list[socket.socket] = []
        for _ in range(workers + 1):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            self.ours.append(ours)
            self.theirs.append(theirs)
        self.ended = threading.Event()

    def end(self) -> None:
        """Both sides notice. May be called twice, and from any thread."""
        self.ended.set()
        self._wake.set()
        for one in self.ours:
            with contextlib.suppress(OSError):  # it has been closed
                one.shutdown(socket.SHUT_RDWR)


class Lender:
    """Threads: lend() and tell() are the bodies of the owner's threads, `workers` and one; the rest may be any's.

    However often the borrower is started anew, no more than `workers` of its requests run at once.
    """

    def __init__(
        self, backend: LocalBackend, workers: int, limits: Limits, labels: Callable[[], Mapping[str, Any]]
    ) -> None:
        """`limits` of a request, and for its bytes of an answer; `labels` of all models, by name."""
        self.workers = workers
        self._backend = backend
        self._limits = limits
        self._labels = labels
        self._requests: queue.SimpleQueue[tuple[socket.socket, Life] | None] = queue.SimpleQueue()
        self._listeners: queue.SimpleQueue[tuple[socket.socket, Life] | None] = queue.SimpleQueue()
        self._changed = threading.Event()

    def start_life(self) -> Life:
        """Connections for a borrower that is about to start."""
        life = Life(self.workers, self._changed)
        self._listeners.put((life.ours[0], life))
        for one in life.ours[1:]:
            self._requests.put((one, life))
        return life

    def changed(self, _state: ServableState | None = None) -> None:
        """Tell the borrower soon; returns at once. For the Manager's monitor."""
        self._changed.set()

    def stop(self) -> None:
        """End lend() and tell(), as soon as what they do is done. The lives are their owner's to end."""
        self._listeners.put(None)
        for _ in range(self.workers):
            self._requests.put(None)

    def lend(self) -> None:
        """Until stop(): serve one connection after the other."""
        scheduling.lend()
        arena = Arena(self._limits.body_bytes)
        while (taken := self._requests.get()) is not None:
            end, life = taken
            connection = Connection(end, arena.room, head_max=REQUEST_HEAD_MAX, limits=self._limits)
            try:
                while (request := connection.receive()) is not None:
                    connection.send(*self._answer(*request))
                    del request
                    arena.trim()
            except WireError as error:
                if not life.ended.is_set():
                    logger.error("The serving process is ended and started again: %s.", error)  # noqa: TRY400
            except OSError:
                pass  # it went while its answer was under way
            life.end()
            connection.close()

    def tell(self) -> None:
        """Until stop(): tell each borrower everything at once, and then what is new."""
        while (taken := self._listeners.get()) is not None:
            end, life = taken
            connection = Connection(end, _no_room, head_max=0, limits=Limits(0))
            told: dict[Key, Outline] = {}
            said: News | None = None
            try:
                while not life.ended.is_set():
                    self._changed.clear()
                    news = self._news(told)
                    told = {key: outline for key, outline in told.items() if key[:2] in news.loaded} | dict(
                        news.outlines
                    )
                    if news != said:
                        connection.send(news.as_json(), {})
                        said = News(news.states, news.latest, news.loaded, news.labels)
                    self._changed.wait(_LOOK_AGAIN_S)
            except OSError:
                pass  # it is gone
            life.end()
            connection.close()

    def _news(self, told: Mapping[Key, Outline]) -> News:
        states = self._backend.states()
        latest, loaded, outlines = {}, {}, {}
        for state in states:
            if state.manager_state is not ManagerState.AVAILABLE:
                continue
            name, version = state.id.name, state.id.version
            try:
                with self._backend.borrow(name, version) as borrowed:
                    outline = borrowed.outline
                with self._backend.borrow(name, None) as borrowed:
                    latest[name] = borrowed.id.version
            except RequestError:
                continue  # it left between the two looks
            loaded[name, version] = outline.digest
            if (name, version, outline.digest) not in told:
                outlines[name, version, outline.digest] = outline
        return News(states, latest, loaded, self._labels(), outlines)

    def _answer(self, head: Mapping[str, Any], inputs: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Raises: WireError where the head asks for nothing."""
        call = Call.from_json(head)
        try:
            return self._run(call, inputs)
        except RequestError as error:
            return {"code": int(error.code), "message": str(error)}, {}
        except Exception as error:  # the boundary of one request: the line goes on, and the next one is answered
            logger.exception("A request from the network failed: a defect of the program.")
            return {"code": int(Code.INTERNAL), "message": f"The request failed: {error!r}"}, {}

    def _run(self, call: Call, inputs: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        with self._backend.borrow(call.name, call.version) as borrowed:
            answered = {"version": borrowed.id.version}
            if borrowed.outline.digest != call.digest:
                _check_again(borrowed, call, inputs)
            if call.together:
                with scheduling.as_ordinary():
                    by_key = borrowed.run_together(call.signatures, inputs, deadline_s=call.deadline_s)
                found = {
                    f"{index}/{alias}": array
                    for index, key in enumerate(call.signatures)
                    for alias, array in by_key[key].items()
                }
            else:
                with scheduling.as_ordinary():
                    found = borrowed.run(call.signatures[0], inputs, call.outputs, deadline_s=call.deadline_s)
        size = size_of(found.values())
        if size > self._limits.body_bytes:
            raise RequestError(
                Code.RESOURCE_EXHAUSTED,
                f"The answer has {size} bytes; this box gives {self._limits.body_bytes} (serving.max_request_mb).",
            )
        return answered, found


def _check_again(borrowed: LocalBorrowed, call: Call, inputs: Mapping[str, Array]) -> None:
    """The request was checked against the version before. Raises: RequestError where it does not fit this one."""
    try:
        for key in call.signatures:
            _check(signature_of(borrowed.outline.signatures, key), call, inputs)
    except InvalidInput as error:
        said = f"Version {borrowed.id.version} of {borrowed.id.name} has just replaced the one before: {error}."
        raise RequestError(Code.INVALID_ARGUMENT, said) from error


def _check(signature: Signature, call: Call, inputs: Mapping[str, Array]) -> None:
    check_names(signature, inputs)
    for alias, array in inputs.items():
        if array.dtype.name != (wanted := signature.inputs[alias].dtype):
            raise InvalidInput(f"input {alias!r} is {array.dtype.name}; the model takes {wanted}")
    if missing := set(call.outputs or ()) - set(signature.outputs):
        raise InvalidInput(f"the signature {signature.key!r} has no output {sorted(missing)}")


def _no_room(_size: int) -> Array:
    raise RuntimeError("the line receives nothing where it tells")
