"""What `appliance results stats` counted, as a person reads it. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from appliance.results.moments import span, utc_ns
from appliance.results.terminal import clean, count, of, table

_RIGHT: Final = frozenset(
    {"parts", "passed", "undecided", "undefined", "late", "p50 ms", "p95 ms", "p99 ms", "max ms", "share", "rechecked"}
    | {"escapes", "failed", "false rejects", "gaps", "numbers lost"}
)
_OF_TIME: Final = frozenset({"day", "hour", "shift"})
_REJECTS_MAX: Final = 40
_MISSING_MAX: Final = 20
Found = dict[str, Any]


def text(found: Found) -> str:
    """All of it, in blocks with a line between them."""
    return "\n\n".join(_blocks(found))


def _blocks(found: Found) -> Iterator[str]:
    if not found["parts"]:
        yield f"No results in {found['source']} that are asked for."
    else:
        lasted_s = (utc_ns(found["last"]) - utc_ns(found["first"])) / 1e9
        yield f"{of(found['parts'], 'part')}, {found['first']} to {found['last']} ({span(lasted_s)})"
        yield _yield(found)
        yield from _rejects(found)
        if found["is_rechecked"]:
            yield _rechecks(found)
    yield from _losses(found)


def _yield(found: Found) -> str:
    rows = [
        [
            *_names(group),
            count(group["parts"]),
            count(group["passed"]),
            percent(group["first_pass_yield"]),
            *(count(group[name]) for name in ("undecided", "undefined", "deadline_missed")),
            *(_ms(group["total_ms"][name]) for name in ("p50", "p95", "p99", "max")),
        ]
        for group in found["groups"]
    ]
    own = ["parts", "passed", "first pass yield (95 %)", "undecided", "undefined", "late"]
    return table([*_headings(found), *own, "p50 ms", "p95 ms", "p99 ms", "max ms"], rows, _RIGHT)


def _rejects(found: Found) -> Iterator[str]:
    rows = [
        [*_names(group), clean(one["reason"]), clean(one["label"]), count(one["parts"]), f"{100 * one['share']:.2f} %"]
        for group in found["groups"]
        for one in group["rejects"]
    ]
    if rows:
        more = f"\nand {count(len(rows) - _REJECTS_MAX)} more: --json has all" if len(rows) > _REJECTS_MAX else ""
        yield table([*_headings(found), "rejected for", "class", "parts", "share"], rows[:_REJECTS_MAX], _RIGHT) + more


def _rechecks(found: Found) -> str:
    rows = []
    for group in found["groups"]:
        again = group["rechecks"]
        rows.append(
            [
                *_names(group),
                f"{count(again['passed_rechecked'])} of {count(again['passed'])}",
                count(again["escapes"]),
                percent(again["escape_rate"]),
                f"{count(again['failed_rechecked'])} of {count(again['failed'])}",
                count(again["false_rejects"]),
                percent(again["false_reject_rate"]),
            ]
        )
    own = ["passed, rechecked", "escapes", "of these (95 %)", "failed, rechecked", "false rejects", "of these (95 %)"]
    rechecked = table([*_headings(found), *own], rows, _RIGHT)
    return f"{rechecked}\nThe rates hold for parts chosen like the rechecked ones."


def _losses(found: Found) -> Iterator[str]:
    if found["gaps"]:
        rows = [
            [clean(one["camera"]), one["stream"], clean(one["reason"]), count(one["gaps"]), count(one["numbers"])]
            for one in found["gaps"]
        ]
        yield table(["camera", "stream", "lost for", "gaps", "numbers lost"], rows, _RIGHT)
    if found["missing"]:
        lines = [
            f"MISSING  {clean(one['camera'])}: numbers {one['from_sequence']} to {one['to_sequence']} of stream "
            f"{one['stream']} are not here, and no gap names them."
            for one in found["missing"][:_MISSING_MAX]
        ]
        more = len(found["missing"]) - len(lines)
        yield "\n".join([*lines, f"and {count(more)} more: --json has all"] if more else lines)
    if found["damaged"]:
        yield f"Left out, not what was written: {of(found['damaged'], 'row')}; see `results verify`."
    if not found["gaps"] and not found["missing"] and not found["damaged"]:
        yield "No number is missing."


def _headings(found: Found) -> list[str]:
    return [f"{what} ({found['time_zone']})" if what in _OF_TIME else what for what in found["by"]]


def _names(group: Found) -> list[str]:
    return [clean(value) for value in group["group"].values()]


def percent(found: dict[str, float] | None) -> str:
    """Such as `98.17 % (98.06 to 98.27)`."""
    if found is None:
        return "-"
    return f"{100 * found['share']:.2f} % ({100 * found['lower']:.2f} to {100 * found['upper']:.2f})"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
