"""What the candidate's process says and hears."""

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from appliance.examiner.beat import Beat
from appliance.examiner.failure import Stage
from appliance.link import Link, Message

_AT_ONCE_S: Final = 0.001
_TELLS_S: Final = 10.0
_SENTENCE_MAX: Final = 1000


class Dismissed(Exception):
    """The delivery process wants no more of it, or is gone."""

    def __init__(self, *, is_gone: bool) -> None:
        super().__init__()
        self.is_gone = is_gone


class Talk:
    """The link, and the beats. One thread."""

    def __init__(self, link: Link, beats: int, patience_s: float) -> None:
        """`beats`: the pipe to the process that waits, see `Beat`."""
        self._link = link
        self._beats = beats
        self._patience_s = patience_s
        self._kept: list[Message] = []
        self.stage = Stage.LOADING

    def enter(self, stage: Stage, *, silent_s: float = 0.0, limit_bytes: int = 0) -> None:
        """From now on it is there; may be silent for `silent_s` beside the usual patience."""
        self.stage = stage
        self.beat(silent_s=silent_s, limit_bytes=limit_bytes)

    def beat(self, *, silent_s: float = 0.0, limit_bytes: int = 0) -> None:
        """It lives."""
        os.write(self._beats, Beat(self.stage, self._patience_s + silent_s, limit_bytes).to_line())

    def progress(self, what: str) -> None:
        """A sentence for people, and a beat. Raises: Dismissed."""
        self.beat()
        self._link.send("progress", {"stage": self.stage.value, "what": what[:_SENTENCE_MAX]})
        message = self._received(_AT_ONCE_S)
        if message is not None:
            self._kept.append(message)

    def tell(self, kind: str, body: Mapping[str, Any]) -> None:
        """What must arrive; waits where the other side does not keep up. Raises: Dismissed."""
        end = time.monotonic() + _TELLS_S
        while not self._link.send(kind, body):
            if time.monotonic() > end:
                raise Dismissed(is_gone=True)
            time.sleep(0.05)

    def mention(self, kind: str, body: Mapping[str, Any]) -> None:
        """What another will follow; dropped where the other side does not keep up."""
        self._link.send(kind, body)

    def hear(self, timeout_s: float = _AT_ONCE_S) -> Message | None:
        """What was said; None where nothing was, in time. Raises: Dismissed."""
        return self._kept.pop(0) if self._kept else self._received(timeout_s)

    def _received(self, timeout_s: float) -> Message | None:
        try:
            message = self._link.receive(timeout_s)
        except TimeoutError:
            return None
        if message is None or message.kind == "stop":
            raise Dismissed(is_gone=message is None)
        return message
