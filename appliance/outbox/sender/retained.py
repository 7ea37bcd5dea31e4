"""The newest of each retained topic, and which of them the broker has yet to get. Pure: no thread, no clock, no I/O."""


class Retained:
    """Latest wins: what was overtaken before it could be sent is never sent."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._unsent: dict[str, None] = {}
        self._under_way: set[str] = set()
        self._refused: set[str] = set()

    @property
    def under_way(self) -> int:
        """Messages sent whose receipt is not there yet; at most one a topic."""
        return len(self._under_way)

    @property
    def is_settled(self) -> bool:
        """The broker has the newest of everything that it does not refuse."""
        return not self._under_way and self.next_to_send() is None

    def put(self, topic: str, payload: bytes) -> None:
        """Keep it, and send it if it is new."""
        if self._newest.get(topic) != payload:
            self._newest[topic] = payload
            self._unsent[topic] = None

    def next_to_send(self) -> tuple[str, bytes] | None:
        """The topic whose turn it is, to be followed by `sent`."""
        for topic in self._unsent:
            if topic not in self._under_way and topic not in self._refused:
                return topic, self._newest[topic]
        return None

    def sent(self, topic: str) -> None:
        """It is on its way."""
        del self._unsent[topic]
        self._under_way.add(topic)

    def received(self, topic: str) -> None:
        """The broker has it."""
        self._under_way.discard(topic)

    def refused(self, topic: str) -> None:
        """The broker does not want it: not tried again, on no connection, before forgive()."""
        self._under_way.discard(topic)
        self._unsent[topic] = None
        self._refused.add(topic)

    def forgive(self) -> None:
        """Try again what was refused."""
        self._refused.clear()

    def start_again(self, first: str) -> None:
        """A new connection: the broker may have forgotten everything; begin with the topic `first`."""
        self._under_way.clear()
        self._unsent = dict.fromkeys(sorted(self._newest, key=lambda topic: topic != first))
