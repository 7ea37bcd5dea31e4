"""Which numbers are named by gaps, and which nobody names."""

from collections import Counter
from typing import Any

from appliance.outbox.row import GAP_TOPIC
from appliance.results.message import Message
from appliance.results.seen import Seen


class Losses:
    """One thread. A gap's numbers that are here nevertheless (they came before it) are not lost."""

    def __init__(self) -> None:
        self._results = Seen()
        self._all = Seen()
        self._gaps: list[Message] = []
        self._cameras: dict[str, str | None] = {}

    def add(self, one: Message) -> None:
        """A result, or a gap."""
        self._all.add(one.stream, one.sequence, one.through)
        if one.topic == GAP_TOPIC:
            self._gaps.append(one)
            self._cameras.setdefault(one.stream, one.camera)
        else:
            self._results.add(one.stream, one.sequence, one.through)
            self._cameras[one.stream] = one.camera

    def gaps(self) -> list[dict[str, Any]]:
        """By camera, stream and reason: how many gaps, and how many numbers are lost by them."""
        numbers: Counter[tuple[str, str]] = Counter()
        gaps: Counter[tuple[str, str]] = Counter()
        for one in self._gaps:
            key = (one.stream, str(one.fields.get("reason")))
            gaps[key] += 1
            numbers[key] += self._results.absent(one.stream, one.sequence, one.through)
        return [
            {
                "camera": self._cameras[stream],
                "stream": stream,
                "reason": reason,
                "gaps": count,
                "numbers": numbers[stream, reason],
            }
            for (stream, reason), count in gaps.items()
        ]

    def missing(self) -> list[dict[str, Any]]:
        """Holes that no gap names."""
        return [
            {"camera": camera, "stream": stream, "from_sequence": first, "to_sequence": last}
            for stream, camera in self._cameras.items()
            for first, last in self._all.missing(stream)
        ]
