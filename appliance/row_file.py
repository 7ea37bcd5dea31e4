"""A file of rows that people bring: CSV with a heading, or JSON lines; each row with the number of its line."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError


class RowFileError(ApplianceError):
    """The file cannot be read as rows. Seen by the person who named it; the sentence says file and line."""


def rows(file: Path, *, max_bytes: int | None = None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each row and the line that it stands in, from 1; read as it is asked for, so memory does not grow.

    FILE.csv is CSV, whose values are all strings and whose columns are named by its first line; anything else is one
    JSON object a line. UTF-8, with or without a mark. Raises: RowFileError.
    """
    try:
        if max_bytes is not None and file.stat().st_size > max_bytes:
            raise RowFileError(f"{file} is above {max_bytes >> 20} MiB; bring fewer rows at once.")
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from _from_csv(lines) if file.suffix.lower() == ".csv" else _from_json(file, lines)
    except OSError as error:
        raise RowFileError(f"{file} cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RowFileError(f"{file} is neither CSV (.csv) nor JSON lines in UTF-8.") from error


def _from_csv(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    table = csv.DictReader(lines)
    for row in table:
        yield table.line_num, {(name or "").strip(): value for name, value in row.items()}


def _from_json(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RowFileError(f"{file}, line {number}: no JSON ({error}).") from error
        if not isinstance(value, dict):
            raise RowFileError(f"{file}, line {number}: not an object; one row a line is read.")
        yield number, value
