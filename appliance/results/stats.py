"""`appliance results stats`: yield, rejects, latency and what is missing."""

import argparse
import json
import sys
import time
from contextlib import closing
from typing import Any, Final

from appliance.binomial import bounds
from appliance.outbox.row import GAP_TOPIC
from appliance.results import moments, stats_text
from appliance.results.counting import Figures, Groups
from appliance.results.losses import Losses
from appliance.results.message import Source
from appliance.results.rechecks import Rechecks
from appliance.results.source import open_source, selection, wanted
from appliance.results.terminal import HowFar, pipe_may_end

_DEFAULT_BY: Final = ("camera", "recipe")
_SHARES: Final = (0.5, 0.95, 0.99, 1.0)


def stats(options: argparse.Namespace) -> int:
    """Print it. Raises: ResultsError, OutboxError, ConfigError."""
    rechecks = None if options.rechecks is None else Rechecks(options.rechecks)
    by = tuple(dict.fromkeys(options.by or _DEFAULT_BY))
    with closing(open_source(options)) as source:
        found = _counted(source, options, by, rechecks)
    with pipe_may_end():
        if options.json:
            sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write(stats_text.text(found) + "\n")
    return 0


def _counted(
    source: Source, options: argparse.Namespace, by: tuple[str, ...], rechecks: Rechecks | None
) -> dict[str, Any]:
    """As --json has it."""
    groups, losses, which = Groups(by, options.shifts), Losses(), wanted(options)
    first_ns: int | None = None
    last_ns: int | None = None
    progress = HowFar("results", source.about())
    for nth, one in enumerate(source.every(selection(options))):
        progress.at(nth)
        losses.add(one)
        if one.topic == GAP_TOPIC or not which.takes(one.fields):
            continue
        first_ns = one.at_utc_ns if first_ns is None else min(first_ns, one.at_utc_ns)
        last_ns = one.at_utc_ns if last_ns is None else max(last_ns, one.at_utc_ns)
        groups.add(one, None if rechecks is None else rechecks.of(one.fields))
    progress.done()
    return {
        "source": source.name,
        "first": None if first_ns is None else moments.text(first_ns),
        "last": None if last_ns is None else moments.text(last_ns),
        "by": list(by),
        "time_zone": time.strftime("%Z"),
        "parts": sum(one.parts for one in groups.figures.values()),
        "is_rechecked": rechecks is not None,
        "groups": [_group(by, key, groups.figures[key], rechecks) for key in sorted(groups.figures)],
        "gaps": losses.gaps(),
        "missing": losses.missing(),
        "damaged": source.damaged,
    }


def _group(by: tuple[str, ...], key: tuple[str, ...], of: Figures, rechecks: Rechecks | None) -> dict[str, Any]:
    p50, p95, p99, highest = of.percentiles_ms(_SHARES)
    group: dict[str, Any] = {
        "group": dict(zip(by, key, strict=True)),
        "parts": of.parts,
        "passed": of.passed,
        "first_pass_yield": share(of.passed, of.parts),
        "undecided": of.undecided,
        "undefined": of.undefined,
        "deadline_missed": of.late,
        "total_ms": {"p50": p50, "p95": p95, "p99": p99, "max": highest},
        "rejects": [
            {"reason": reason, "label": label, "parts": parts, "share": parts / of.parts}
            for (reason, label), parts in of.rejects.most_common()
        ],
    }
    if rechecks is not None:
        group["rechecks"] = {
            "passed": of.passed,
            "passed_rechecked": of.passed_rechecked,
            "escapes": of.escapes,
            "escape_rate": share(of.escapes, of.passed_rechecked),
            "failed": of.parts - of.passed,
            "failed_rechecked": of.failed_rechecked,
            "false_rejects": of.false_rejects,
            "false_reject_rate": share(of.false_rejects, of.failed_rechecked),
        }
    return group


def share(hits: int, of: int) -> dict[str, float] | None:
    """With its two-sided 95 % bounds; None of nothing."""
    if of == 0:
        return None
    lower, upper = bounds(hits, of)
    return {"share": hits / of, "lower": lower, "upper": upper}
