"""What people found when they looked at parts again: good or bad, by result or by part."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.results.errors import ResultsError
from appliance.row_file import rows

GOOD: Final = "good"
BAD: Final = "bad"


class Rechecks:
    """Immutable once read. A result's own id counts before its part's."""

    def __init__(self, file: Path) -> None:
        """CSV with a heading (FILE.csv), or JSON lines: result_id or part_id, and recheck.

        Memory grows with the rechecks. Raises: ResultsError, RowFileError.
        """
        self._of_result: dict[str, str] = {}
        self._of_part: dict[str, str] = {}
        self.contradictions = 0
        """Ids that are there with both answers; the later one counts."""
        self.left_out = 0
        """Lines without an answer, as an export has them for parts that nobody rechecked."""
        for number, row in rows(file):
            self._take(file, number, row)
        if not self:
            raise ResultsError(f"{file} holds no recheck: a line has result_id or part_id, and recheck: good or bad.")

    def __len__(self) -> int:
        return len(self._of_result) + len(self._of_part)

    def of(self, fields: Mapping[str, Any]) -> str | None:
        """`good`, `bad`, or None for a result that nobody looked at again."""
        found = self._of_result.get(str(fields.get("result_id")))
        if found is None and fields.get("part_id") is not None:
            found = self._of_part.get(str(fields["part_id"]))
        return found

    def _take(self, file: Path, number: int, row: Mapping[str, Any]) -> None:
        if file.suffix.lower() == ".csv" and ("recheck" not in row or not row.keys() & {"result_id", "part_id"}):
            raise ResultsError(f"{file} needs a first line that names its columns: result_id or part_id, and recheck.")
        answer = str(row.get("recheck") or "").strip().lower()
        if not answer:
            self.left_out += 1
            return
        if answer not in {GOOD, BAD}:
            raise ResultsError(f"{file}, line {number}: the recheck is good or bad, and not {row['recheck']!r}.")
        of, key = (self._of_result, "result_id") if row.get("result_id") else (self._of_part, "part_id")
        name = str(row.get(key) or "")
        if not name:
            raise ResultsError(f"{file}, line {number}: a recheck has a result_id or a part_id, and this has neither.")
        self.contradictions += of.get(name, answer) != answer
        of[name] = answer
