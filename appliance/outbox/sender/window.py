"""Which rows are under way, and how far the broker has come without a hole. Pure: no thread, no clock, no I/O."""

from collections import deque
from collections.abc import Iterable

from appliance.outbox.row import Row


class Window:
    """Rows between the disk and the broker's receipt, in the disk's order."""

    def __init__(self, acknowledged: int, size: int) -> None:
        """Begin behind row `acknowledged`, with at most `size` rows under way at once."""
        self.size = size
        self._read_to = acknowledged
        self._rows: deque[Row] = deque()
        self._sent = 0
        """So many of the rows, from the front, need not be sent now."""
        self._under_way: set[int] = set()
        self._received: set[int] = set()
        """Receipts that came before that of an earlier row."""

    @property
    def read_to(self) -> int:
        """The last row read from the disk."""
        return self._read_to

    @property
    def first(self) -> int | None:
        """The first row without a receipt; None where every one that was read has one."""
        return self._rows[0].row if self._rows else None

    @property
    def under_way(self) -> int:
        """Rows sent whose receipt is not there yet."""
        return len(self._under_way)

    @property
    def waiting(self) -> int:
        """Rows read and not acknowledged."""
        return len(self._rows)

    def room_to_read(self) -> int:
        """How many more rows are worth having in memory."""
        return max(0, 2 * self.size - len(self._rows))

    def add(self, rows: Iterable[Row]) -> None:
        """What was read behind `read_to`."""
        for row in rows:
            if row.row <= self._read_to:
                msg = f"row {row.row} was read after row {self._read_to}"
                raise RuntimeError(msg)
            self._rows.append(row)
            self._read_to = row.row

    def next_to_send(self) -> Row | None:
        """The row to send now, to be followed by `sent`; None where the window is full or nothing is left."""
        if len(self._under_way) >= self.size:
            return None
        while self._sent < len(self._rows):
            row = self._rows[self._sent]
            if row.row not in self._received and row.row not in self._under_way:
                return row
            self._sent += 1
        return None

    def sent(self, row: Row) -> None:
        """It is on its way."""
        self._sent += 1
        self._under_way.add(row.row)

    def received(self, row: int) -> list[Row]:
        """The broker has it. Returns the rows, in order, that now end the unbroken run of acknowledged ones."""
        self._under_way.discard(row)
        self._received.add(row)
        finished = []
        while self._rows and self._rows[0].row in self._received:
            finished.append(self._rows.popleft())
            self._received.discard(finished[-1].row)
            self._sent = max(0, self._sent - 1)
        return finished

    def refused(self, row: int) -> None:
        """The broker does not want it now: it is the next to be sent."""
        self._under_way.discard(row)
        self._sent = 0

    def rewind(self, rows: Iterable[Row]) -> None:
        """Put these, which the broker had and may have lost, in front again; they are older than all others."""
        self._rows.extendleft(sorted(rows, key=lambda row: -row.row))
        self._sent = 0

    def start_again(self) -> None:
        """Nothing is under way any more: send again from the first row without a receipt."""
        self._sent = 0
        self._under_way.clear()
