"""What a calibration found, for people and for programs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from appliance import binomial
from appliance.inspection.calibration import Budget, CrossCheck, Group, Placed, Rates, Sample, Share, Wanted
from appliance.inspection.calibration.refusal import percent
from appliance.inspection.limits import Limits

_EDGES: Final = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Finer at the ends, where scores crowd."""
_BAR: Final = 24


@dataclass(slots=True)
class Report:
    """Filled step by step; what comes after a refusal stays empty."""

    recipe: str
    what: str
    sample: Sample
    wanted: Wanted
    limits_before: Limits
    before: Rates
    notes: list[str] = field(default_factory=list)
    refused: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    placed: Placed | None = None
    after: Rates | None = None
    budget: Budget | None = None
    cross_check: CrossCheck | None = None


def as_text(report: Report) -> str:
    """Some 40 lines."""
    sample = report.sample
    lines = [
        f"recipe {report.recipe}: {report.what}",
        f"sample: {len(sample.good)} good and {len(sample.bad)} bad parts in {sample.pictures} picture(s) or result(s)",
        *(f"  {note}" for note in report.notes),
        "",
        *_histogram(report),
        "",
        *_table(report),
    ]
    if report.after is not None:
        lines += ["", *_promises(report), *_cross_checked(report)]
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """The same for programs; `limits` is what [recipes.NAME.limits] becomes."""
    check = report.cross_check
    tried = None
    if check is not None:
        limits = {"ok_below": check.ok_below, "not_ok_from": check.not_ok_from, "times": check.times}
        tried = {**_rates(check.rates), **limits}
    return {
        "recipe": report.recipe,
        "model": report.what,
        "good": len(report.sample.good),
        "bad": len(report.sample.bad),
        "pictures": report.sample.pictures,
        "wanted": asdict(report.wanted),
        "notes": report.notes,
        "refused": report.refused,
        "limits": {key: one for key, one in report.values.items() if one is not None} or None,
        "before": _rates(report.before),
        "after": None if report.after is None else _rates(report.after),
        "cross_check": tried,
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        name: {"hits": share.hits, "of": share.of, "bound_95": round(share.bound, 6)}
        for name in ("false_rejects", "escapes", "good_looked_at", "bad_looked_at")
        for share in (getattr(rates, name),)
    }


def _histogram(report: Report) -> Iterator[str]:
    """Rows of scores from certainly good to certainly bad, with the limits where they lie."""
    good, bad = _binned(report.sample.good), _binned(report.sample.bad)
    scale = max(*good, *bad, 1) / _BAR
    marks = [] if report.placed is None else _marks(report.placed)
    yield "scores: 0 is certainly good, 1 certainly bad; the worst row of each part"
    yield f"{'':15}  {'good':{_BAR + 6}} bad"
    for place, (low, high) in enumerate(itertools.pairwise(_EDGES)):
        for limit, what in marks:
            if low <= limit < high:
                yield f"{'':15}  {what}"
        if good[place] or bad[place] or _EDGES[1] <= low < _EDGES[-2]:
            yield f"{low:6g} – {high:<6g}  {_bar(good[place], scale):{_BAR + 6}} {_bar(bad[place], scale)}".rstrip()


def _marks(placed: Placed) -> list[tuple[float, str]]:
    ends = list(placed.not_ok_from.items())
    begin = f"──── OK below {placed.ok_below:g}; from here a person looks ────"
    if len(ends) == 1:
        return [(placed.ok_below, begin), (ends[0][1], f"──── NotOK from {ends[0][1]:g} ────")]
    named = [("/".join(filter(None, cell)), limit) for cell, limit in sorted(ends, key=lambda one: one[1])]
    return [(placed.ok_below, begin), *((limit, f"──── {name} NotOK from {limit:g} ────") for name, limit in named)]


def _binned(groups: Sequence[Group]) -> list[int]:
    counts = [0] * (len(_EDGES) - 1)
    for group in groups:
        counts[max(place for place, low in enumerate(_EDGES[:-1]) if group.doubt >= low)] += 1
    return counts


def _bar(count: int, scale: float) -> str:
    return "" if count == 0 else "█" * max(1, round(count / scale)) + f" {count}"


def _table(report: Report) -> Iterator[str]:
    before, after = report.before, report.after
    yield f"{'':34} {'now':32}{'calibrated' if after is not None else ''}".rstrip()
    for what, name in (
        ("false rejects: good parts NotOK", "false_rejects"),
        ("escapes: bad parts OK", "escapes"),
        ("NotDecidable, of the good parts", "good_looked_at"),
        ("NotDecidable, of the bad parts", "bad_looked_at"),
    ):
        then = "" if after is None else _share(getattr(after, name))
        yield f"{what:34} {_share(getattr(before, name)):32}{then}".rstrip()


def _share(share: Share) -> str:
    return f"{share.hits} of {share.of}" + (f", at most {percent(share.bound)}" if share.of else "")


def _promises(report: Report) -> Iterator[str]:
    wanted, budget, sample = report.wanted, report.budget, report.sample
    if wanted.false_reject is not None and budget is not None:
        shared = len(budget.cells)
        each = f", {shared} limits of a share each" if shared > 1 else ""
        fewer = ", with one limit for all classes: for one each the parts are too few"
        fewer = "" if shared or len(sample.classes.defects) < 2 else fewer
        yield f"False rejects stay within {percent(wanted.false_reject)} with 95 % confidence{each}{fewer}."
    else:
        yield f"No false-reject rate was asked for; {_least(len(sample.good), 'good')}"
    if wanted.escape is not None:
        yield f"Escapes stay within {percent(wanted.escape)} with 95 % confidence."
    else:
        yield f"No escape rate was asked for; {_least(len(sample.bad), 'bad')}"
    yield "That is for parts like these, at this station, with this version of the model and this light."


def _least(parts: int, kind: str) -> str:
    if parts == 0:
        return f"without {kind} parts none could be promised."
    return f"{parts} {kind} parts can show {percent(binomial.upper_bound(0, parts), up=True)} at best."


def _cross_checked(report: Report) -> Iterator[str]:
    check = report.cross_check
    if check is None:
        return
    rates = check.rates
    yield (
        f"Set again {check.times} times without some parts, and tried on those: "
        f"false rejects {_share(rates.false_rejects)}; escapes {_share(rates.escapes)}; "
        f"NotDecidable {rates.good_looked_at.hits} good, {rates.bad_looked_at.hits} bad."
    )
    yield (
        f"Meanwhile OK ended between {check.ok_below[0]:g} and {check.ok_below[1]:g}, "
        f"and NotOK began between {check.not_ok_from[0]:g} and {check.not_ok_from[1]:g}."
    )
