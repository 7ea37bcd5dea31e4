"""What subscribers asked to hear again: rows that the broker had, published once more on the side.

The delivery asks for the next one whenever nothing newer wants to be sent, and says what became of it; live results
always go first, and at most a share of the window is under way for a replay.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Again:
    """One message to publish once more."""

    key: int
    """For `received` and `refused`."""
    topic: str
    """The whole topic."""
    payload: bytes
    correlation: bytes | None


class Replays:
    """Threads: ask() by any; everything else by the publisher's alone, and it never waits for the disk for long."""

    def next_to_send(self) -> Again | None:
        """Whose turn it is, to be followed by `sent`; None where nothing is asked for, or enough is under way."""
        return None

    def sent(self, again: Again) -> None:
        """It is on its way."""

    def received(self, key: int) -> None:
        """The broker has it."""

    def refused(self, key: int, reason: str) -> None:
        """The broker does not take it: that replay ends, and its asker is told where that can be."""

    def start_again(self) -> None:
        """A new connection: what had no receipt is sent again."""
