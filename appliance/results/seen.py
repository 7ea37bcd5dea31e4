"""Which numbers of which streams have come: a few runs, however many there are."""

from bisect import bisect_right
from itertools import pairwise


class Seen:
    """One thread. Memory grows with the holes, not with the numbers."""

    def __init__(self) -> None:
        self._runs: dict[str, list[list[int]]] = {}

    def add(self, stream: str, first: int, last: int) -> bool:
        """Whether any number of them is new. Microseconds where they come in order."""
        runs = self._runs.setdefault(stream, [])
        if runs and runs[-1][1] + 1 == first:
            runs[-1][1] = last
            return True
        at = bisect_right(runs, first, key=lambda run: run[0])
        if at and runs[at - 1][1] >= last:
            return False
        begin = at - 1 if at and runs[at - 1][1] >= first - 1 else at
        end = begin
        while end < len(runs) and runs[end][0] <= last + 1:
            first, last = min(first, runs[end][0]), max(last, runs[end][1])
            end += 1
        runs[begin:end] = [[first, last]]
        return True

    def missing(self, stream: str) -> list[tuple[int, int]]:
        """The holes between its first number and its last."""
        runs = self._runs.get(stream, [])
        return [(before[1] + 1, after[0] - 1) for before, after in pairwise(runs)]

    def absent(self, stream: str, first: int, last: int) -> int:
        """How many of these numbers have not come."""
        count = last - first + 1
        runs = self._runs.get(stream, [])
        for nth in range(max(0, bisect_right(runs, first, key=lambda run: run[0]) - 1), len(runs)):
            if runs[nth][0] > last:
                break
            count -= max(0, min(last, runs[nth][1]) - max(first, runs[nth][0]) + 1)
        return count
