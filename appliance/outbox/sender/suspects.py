"""Which message makes the broker end the connection. Pure: no thread, no clock, no I/O.

Some brokers cut us off for a message that they refuse, and their answer is lost with the connection: the more is under
way behind it, the more often. After some such cut-offs messages are sent one at a time, so that the answer arrives, or
the message that was alone under way is the one.
"""

from collections.abc import Hashable, Iterable
from typing import Final

_CUT_OFFS_CAREFUL: Final = 2
_CUT_OFFS_MAX: Final = 3


class Suspects:
    """What was under way, and freshly so, at the end of each of several connections, one after the other."""

    def __init__(self) -> None:
        self._cut_offs: dict[Hashable, int] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._cut_offs)

    @property
    def is_careful(self) -> bool:
        """Whether one message at a time is to be sent."""
        return any(count >= _CUT_OFFS_CAREFUL for count in self._cut_offs.values())

    def cut_off(self, under_way: Iterable[Hashable]) -> Hashable | None:
        """A connection ended with these under way, just sent. Returns the one that it ended for, where that is sure."""
        those = list(dict.fromkeys(under_way))
        if not self.is_careful:
            self._cut_offs = {one: self._cut_offs.get(one, 0) + 1 for one in those}
            return None
        for one in those:
            self._cut_offs[one] = self._cut_offs.get(one, 0) + 1
        if len(those) == 1 and self._cut_offs[those[0]] >= _CUT_OFFS_MAX:
            del self._cut_offs[those[0]]
            return those[0]
        return None

    def cleared(self, one: Hashable | None) -> None:
        """The broker has answered to this."""
        self._cut_offs.pop(one, None)

    def settled(self) -> None:
        """A connection lasted: whatever ends one now and then, it is no message."""
        self._cut_offs.clear()
