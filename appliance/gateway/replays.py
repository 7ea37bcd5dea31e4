"""Requests for results that somebody missed: checked, answered at once, and fed from the disk at an even pace.

What is published again goes out beside what is new: `outbox.replaying` sees to it that live results go first, and here
is the pace, so that a broker and its readers keep up with both.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.errors import ApplianceError
from appliance.outbox.errors import OutboxError
from appliance.outbox.history import History, Selection, StreamSpan
from appliance.outbox.sender.replay import IN_MEMORY_MAX, ReplayState, ReplayStatus, Wanted
from appliance.outbox.sender.replaying import AT_ONCE_MAX, Replays, Slice
from appliance.steering.inbox import may_answer
from appliance.steering.once import KeyConflict, Once
from appliance.steering.requests import Answer, Request, Verb

_log = logging.getLogger(__name__)

PER_S: Final = 500.0
"""Messages a second, all replays together: a fifth of a small box' core, gateway, broker and reader counted in."""
TICK_S: Final = 0.02
"""In small portions: behind a large one the next new result would wait, on its way and at its readers."""
_BURST_S: Final = 2 * TICK_S
"""What was not sent because the box was busy is not made up for: a replay is slower then."""
_STARTS_MAX: Final = 20
_STARTS_IN_S: Final = 20.0
"""So many replays may begin within so long, whoever asks: each looks through the disk."""
_STATE: Final = {
    ReplayState.RUNNING: "running",
    ReplayState.CLOSING: "running",
    ReplayState.FAILING: "running",
    ReplayState.DONE: "done",
    ReplayState.FAILED: "failed",
}


class _Refused(ApplianceError):
    """Nothing begins; the answer says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = Answer.refusal(status, sentence)


class ReplayRequests:
    """Threads: handle(), ask() and answered() by any; start() and stop() by one. A thread of its own reads the disk."""

    def __init__(
        self, folder: Path, base_topic: str, replays: Replays, wake: Callable[[], None], *, per_s: float = PER_S
    ) -> None:
        """`folder`: the outbox's. `wake`: there is something for the publisher to send. Nothing is read before start().

        `per_s`: messages a second, all replays together.
        """
        self._base_topic = base_topic
        self._replays = replays
        self._wake = wake
        self._per_s = per_s
        self._once: Once[dict[str, Any]] = Once()
        self._look = threading.Lock()
        # guarded by _look:
        self._spans = History(folder)
        self._starts: deque[float] = deque(maxlen=_STARTS_MAX)
        self._unanswered: list[Wanted] = []
        """They begin when their asker has been sent the answer that announces them."""
        self._history = History(folder)  # the reading thread's own
        self._begun = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replays", daemon=True)

    def start(self) -> None:
        """Take requests from now on."""
        self._thread.start()

    def stop(self) -> None:
        """What runs ends without a word: its asker asks again."""
        self._stopping.set()
        self._begun.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        with self._look:
            self._spans.close()

    def handle(self, request: Request) -> Answer:
        """The answer to `replay` or `replays`; milliseconds. Raises: ApplianceError, which is a 503."""
        if request.verb is Verb.REPLAYS:
            return Answer(200, {"schema_version": 1, "replays": [_listed(one) for one in self._replays.statuses()]})
        try:
            body, is_known = self._once.do(request, lambda: self._begin(request))
        except _Refused as refused:
            _log.warning("%s asked for a replay and did not get it: %s", request.who, refused)
            return refused.answer
        except KeyConflict as error:
            return Answer.refusal(409, str(error))
        return Answer(200 if is_known else 202, body)

    def ask(self, request: Request, _timeout_s: float) -> Answer:
        """The same for a desk: a 503 is an answer."""
        try:
            return self.handle(request)
        except ApplianceError as error:
            return Answer.refusal(503, str(error))

    def answered(self) -> None:
        """The answers until now are on their way to the broker: what they announce may follow them."""
        with self._look:
            for wanted in self._unanswered:
                self._replays.begin(wanted)
            self._unanswered.clear()
        self._begun.set()

    # ---- a request

    def _begin(self, request: Request) -> dict[str, Any]:
        topic = request.response_topic
        if topic is not None and not may_answer(topic, self._base_topic):
            raise _Refused(422, f"Results cannot be sent to {topic[:80]!r}: name a topic that is not the box's own.")
        with self._look:
            wanted = self._wanted(request)
            rows = max(0, min(wanted.last, wanted.held_last) - max(wanted.first, wanted.held_first) + 1)
            self._starts.append(time.monotonic())
            if topic is not None:
                self._unanswered.append(wanted)
            else:
                self._replays.begin(wanted)
        self._begun.set()
        _log.info(
            "%s asked for results %d to %d of %s again; they go to %s.",
            *(request.who, wanted.first, wanted.last, wanted.camera, wanted.topic[:200]),
            extra={"WHO": request.who, "SOURCE": request.source, "CAMERA": wanted.camera, "STREAM": wanted.stream},
        )
        return {
            "id": wanted.id,
            "camera": wanted.camera,
            "stream": wanted.stream,
            "from_sequence": wanted.first,
            "to_sequence": wanted.last,
            "rows": rows,
            "topic": wanted.topic,
        }

    def _wanted(self, request: Request) -> Wanted:
        if self._replays.room <= len(self._unanswered):
            raise _too_many()
        if len(self._starts) == _STARTS_MAX and time.monotonic() - self._starts[0] < _STARTS_IN_S:
            raise _Refused(409, f"{_STARTS_MAX} replays began in the last {_STARTS_IN_S:g} s; ask for longer ranges.")
        body = request.body
        span = self._span(body["camera"], body.get("stream"))
        own_topic = f"{self._base_topic}/{span.camera}/replay"
        return Wanted(
            id=uuid.uuid4().hex,
            camera=span.camera,
            stream=span.stream,
            first=body["from_sequence"],
            last=body["to_sequence"],
            topic=request.response_topic or own_topic,
            own_topic=own_topic,
            correlation=request.correlation,
            request_id=request.key,
            who=request.who,
            begun_utc_ns=time.time_ns(),
            held_first=span.first,
            held_last=span.last,
        )

    def _span(self, camera: str, stream: str | None) -> StreamSpan:
        spans = [one for one in self._spans.streams() if one.camera == camera]
        if not spans:
            raise _Refused(404, f"The outbox has no results of a camera {camera!r}: name one as in its topics.")
        if stream is None:
            return spans[-1]
        for one in spans:
            if one.stream == stream:
                return one
        held = ", ".join(one.stream for one in spans[-3:])
        raise _Refused(404, f"The outbox has nothing more of the stream {stream!r} of {camera}; the newest are {held}.")

    # ---- the reading thread

    def _run(self) -> None:
        allowed, at_s = 0.0, time.monotonic()
        while not self._stopping.is_set():
            if self._replays.is_idle:
                self._history.close()
                self._begun.wait()
                self._begun.clear()
                continue
            now_s = time.monotonic()
            allowed = min(self._per_s * _BURST_S, allowed + (now_s - at_s) * self._per_s)
            at_s = now_s
            allowed -= self._feed(int(allowed))
            self._stopping.wait(TICK_S)
        self._history.close()

    def _feed(self, allowed: int) -> int:
        """Read what may be sent next; how many messages that were."""
        slices = self._replays.next_to_read(allowed) if allowed >= 1 else []
        count = 0
        for one in slices:
            try:
                rows = [kept.row for kept in self._history.rows(_selection(one), limit=2 * IN_MEMORY_MAX)]
            except OutboxError as error:
                self._replays.fail(one.replay_id, str(error))
                continue
            self._replays.feed(one, rows)
            count += max(1, len(rows))
        self._wake()
        return count


def _selection(one: Slice) -> Selection:
    return Selection(camera=one.camera, stream=one.stream, from_sequence=one.first, to_sequence=one.last)


def _too_many() -> _Refused:
    return _Refused(409, f"{AT_ONCE_MAX} replays run already; ask again when one of them has ended.")


def _listed(status: ReplayStatus) -> dict[str, Any]:
    wanted = status.wanted
    return {
        "id": wanted.id,
        "camera": wanted.camera,
        "stream": wanted.stream,
        "from_sequence": wanted.first,
        "to_sequence": wanted.last,
        "topic": wanted.topic,
        "rows": max(0, min(wanted.last, wanted.held_last) - max(wanted.first, wanted.held_first) + 1),
        "sent": status.sent,
        "missing": [list(one) for one in status.missing],
        "state": _STATE[status.state],
        "error": status.error,
        "who": wanted.who,
    }
