"""What people found when they looked at parts again: good or bad, by result or by part."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.results.errors import ResultsError

GOOD: Final = "good"
BAD: Final = "bad"


class Rechecks:
    """Immutable once read. A result's own id counts before its part's."""

    def __init__(self, file: Path) -> None:
        """CSV with a heading (FILE.csv), or JSON lines: result_id or part_id, and recheck.

        Memory grows with the rechecks. Raises: ResultsError.
        """
        self._of_result: dict[str, str] = {}
        self._of_part: dict[str, str] = {}
        self.contradictions = 0
        """Ids that are there with both answers; the later one counts."""
        self.left_out = 0
        """Lines without an answer, as an export has them for parts that nobody rechecked."""
        for number, row in _rows(file):
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


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """With the number of its line."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from _from_csv(file, lines) if file.suffix.lower() == ".csv" else _from_json(file, lines)
    except OSError as error:
        raise ResultsError(f"{file} cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{file} is neither CSV (.csv) nor JSON lines in UTF-8.") from error


def _from_csv(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.DictReader(lines)
    names = {name.strip() for name in rows.fieldnames or ()}
    if "recheck" not in names or not names & {"result_id", "part_id"}:
        raise ResultsError(f"{file} needs a first line that names its columns: result_id or part_id, and recheck.")
    for row in rows:
        yield rows.line_num, {(name or "").strip(): value for name, value in row.items()}


def _from_json(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ResultsError(f"{file}, line {number}: no JSON ({error}).") from error
        if not isinstance(value, dict):
            raise ResultsError(f"{file}, line {number}: not an object; a recheck a line is read.")
        yield number, value
