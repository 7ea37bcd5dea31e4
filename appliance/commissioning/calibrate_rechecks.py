"""Results that people have looked at again: what the box had published, and `recheck`, good or bad."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.commissioning.errors import CommissioningError
from appliance.inspection.calibration import Classes, LabelledPart
from appliance.inspection.result import Evaluation

_FILE_MAX_BYTES: Final = 1 << 30
_TABLES: Final = ("classes", "regions", "model")
"""Columns of a CSV that hold JSON."""

Row = Mapping[str, Any]


def read_rechecks(
    file: Path, recipe: str, digest: str, classes: Classes, *, wants_escapes: bool
) -> tuple[list[LabelledPart], list[str]]:
    """Those of this recipe and of this very model version, and what has to be said about the others.

    A line, or a row, holds a result as the schema has it (result_id, recipe_id, part_id, evaluation, classes, regions,
    model) and `recheck`: good or bad; `group`, where there is one, says which of them are of one part, else part_id
    does. In CSV the columns classes, regions and model hold JSON. Raises: CommissioningError.
    """
    parts: dict[str, LabelledPart] = {}
    left_out: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for number, row in _rows(file):
        why = _why_not(row, recipe, digest)
        if why is not None:
            left_out[why] += 1
            continue
        try:
            name = str(row["result_id"])
            group = str(row.get("group") or row.get("part_id") or name)
            rows = tuple(_scores(row, classes))
            parts[name] = LabelledPart(name, group, row["recheck"] == "good", None, rows)
            found[str(row["evaluation"])] += 1
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CommissioningError(f"{file}, line {number}: no result as the box gives it ({error!r}).") from error
    if not parts:
        why = "; ".join(f"{count} are {one}" for one, count in left_out.items()) or "the file is empty"
        raise CommissioningError(f"{file} holds no recheck that can be used: {why}.")
    if wants_escapes and not found[Evaluation.OK.value]:
        raise CommissioningError(
            "No part that had passed was rechecked, and an escape is a bad part that passed: rechecks of failed parts "
            "cannot show an escape rate. Recheck some of the passed parts too, taken as they come, or use --pictures."
        )
    notes = [f"{count} recheck(s) left out: {why}" for why, count in left_out.items()]
    looked_at = ", ".join(f"{count} {evaluation}" for evaluation, count in found.most_common())
    notes.append(f"the box had said of the rechecked parts: {looked_at}; the rates hold for parts chosen like these")
    return list(parts.values()), notes


def _why_not(row: Row, recipe: str, digest: str) -> str | None:
    if row.get("recheck") not in {"good", "bad"}:
        return "without a recheck good or bad"
    if row.get("recipe_id") != recipe:
        return "of another recipe"
    if row.get("evaluation") == Evaluation.UNDEFINED.value or not row.get("classes"):
        return "without scores"
    if (row.get("model") or {}).get("digest") != digest:
        return "by another version of the model, whose scores are others"
    return None


def _scores(row: Row, classes: Classes) -> Iterator[tuple[str | None, tuple[float, ...]]]:
    """A region's row from `classes` where that is its own, else from what decided there.

    Of those others a result names one class only; with two classes that says both.
    """
    full = row["classes"]
    at = full[0].get("region")
    regions = row.get("regions") or []
    named = {one["region"] for one in regions}
    of_region = at if at in named else str(at).partition("/")[0] if str(at).partition("/")[0] in named else None
    scores = {str(one["label"]): float(one["score"]) for one in full}
    yield of_region, tuple(scores[label] for label in classes.labels)
    for one in regions:
        if one["region"] == of_region or one.get("score") is None:
            continue
        if len(classes.labels) != 2:
            raise CommissioningError(
                "A result of a part with several regions says all scores of the worst one only, which is enough for "
                "two classes and not for more; use --pictures."
            )
        score = float(one["score"])
        yield one["region"], tuple(score if label == one["label"] else 1.0 - score for label in classes.labels)


def _rows(file: Path) -> Iterator[tuple[int, Row]]:
    """With the number of its line."""
    try:
        if file.stat().st_size > _FILE_MAX_BYTES:
            raise CommissioningError(f"{file} is above {_FILE_MAX_BYTES >> 30} GiB; take the rechecks of one model.")
        with file.open(encoding="utf-8", newline="") as lines:
            yield from enumerate(_from_csv(lines), 2) if file.suffix.lower() == ".csv" else _from_json(file, lines)
    except OSError as error:
        raise CommissioningError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommissioningError(f"{file} is no UTF-8 text; store it as .jsonl or .csv.") from error


def _from_csv(lines: Iterable[str]) -> Iterator[Row]:
    for row in csv.DictReader(lines):
        value: dict[str, Any] = {key: one for key, one in row.items() if one != ""}
        for key in _TABLES:
            if key in value:
                value[key] = json.loads(value[key])
        yield value


def _from_json(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise CommissioningError(f"{file}, line {number}: no JSON ({error}).") from error
        if not isinstance(value, dict):
            raise CommissioningError(f"{file}, line {number}: not an object; one result a line is read.")
        yield number, value
