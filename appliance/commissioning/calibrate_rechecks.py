"""Results that people have looked at again: what the box had published, and `recheck`, good or bad."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.commissioning.errors import CommissioningError
from appliance.inspection.calibration import Classes, LabelledPart
from appliance.inspection.result import Evaluation
from appliance.row_file import rows

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
    does. In CSV the columns classes, regions and model hold JSON. Raises: CommissioningError, RowFileError.
    """
    parts: dict[str, LabelledPart] = {}
    left_out: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for number, given in rows(file, max_bytes=_FILE_MAX_BYTES):
        try:
            row = _decoded(given)
            why = _why_not(row, recipe, digest)
            if why is not None:
                left_out[why] += 1
                continue
            part = _part(row, classes)
            parts[part.name] = part
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


def _part(row: Row, classes: Classes) -> LabelledPart:
    name = str(row["result_id"])
    group = str(row.get("group") or row.get("part_id") or name)
    return LabelledPart(name, group, _answer(row) == "good", None, tuple(_scores(row, classes)))


def _answer(row: Row) -> str:
    return str(row.get("recheck") or "").strip().lower()


def _why_not(row: Row, recipe: str, digest: str) -> str | None:
    if _answer(row) not in {"good", "bad"}:
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


def _decoded(row: Row) -> dict[str, Any]:
    """A row of CSV as the object that it was: no empty fields, tables as tables. Raises: ValueError."""
    return {
        key: json.loads(value) if key in _TABLES and isinstance(value, str) else value
        for key, value in row.items()
        if value not in ("", None)
    }
