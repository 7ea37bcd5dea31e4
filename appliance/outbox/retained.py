"""The newest of each retained topic, and which of them the broker has yet to get. Pure: no thread, no clock, no I/O."""


class Retained:
    """Latest wins: what was overtaken before it could be sent is never sent."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._unsent: dict[str, None] = {}
        self._under_way: set[str] = set()

    @property
    def under_way(self) -> int:
        """Messages sent whose receipt is not there yet; at most one a topic."""
        return len(self._under_way)

    @property
    def is_settled(self) -> bool:
        """The broker has the newest of everything."""
        return not self._unsent and not self._under_way

    def put(self, topic: str, payload: bytes) -> None:
        """Keep it, and send it if it is new."""
        if self._newest.get(topic) != payload:
            self._newest[topic] = payload
            self._unsent[topic] = None

    def next_to_send(self) -> tuple[str, bytes] | None:
        """The topic whose turn it is, to be followed by `sent`."""
        for topic in self._unsent:
            if topic not in self._under_way:
                return topic, self._newest[topic]
        return None

    def sent(self, topic: str) -> None:
        """It is on its way."""
        del self._unsent[topic]
        self._under_way.add(topic)

    def received(self, topic: str) -> None:
        """The broker has answered, whatever it said: a refused topic is tried again when its content changes."""
        self._under_way.discard(topic)

    def start_again(self, first: str) -> None:
        """A new connection: the broker may have forgotten everything; begin with the topic `first`."""
        self._under_way.clear()
        self._unsent = dict.fromkeys(sorted(self._newest, key=lambda topic: topic != first))
