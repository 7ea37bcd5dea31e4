"""Deliveries in words: the same on the box' page and in the terminal. Pure: JSON in, text out."""

from collections.abc import Callable, Mapping
from typing import Any, Final

WAY: Final = (
    "pending",
    "downloading",
    "verifying",
    "staged",
    "loading",
    "accepting",
    "shadowing",
    "canary",
    "activating",
    "probation",
    "success",
)
"""The states of a way that ends well, in order."""
WRONG_ENDS: Final = frozenset({"rejected", "failed", "rolled_back", "rollback_failed", "timed_out"})
ENDS: Final = WRONG_ENDS | {"success", "already_installed", "superseded", "canceled"}

_WAITS: Final = {
    "turn": "its turn",
    "start": "its moment to start",
    "window": "the next window",
    "approval": "a person's approval (appliance deployments approve)",
    "ring": "its ring of the fleet",
    "pin": "the pin to be taken away",
    "pause": "deliveries to be resumed",
}
_ORDER: Final = ("acceptance", "shadow", "canary", "probation")
_HEX_SHOWN: Final = 12


def release_of(served: Mapping[str, Any] | None) -> str:
    """Such as `release 7 (version 7, 1f0c2a…)`."""
    if served is None:
        return "none"
    return f"release {served['release']} (version {served['version']}, {short(served['digest'])})"


def short(digest: str | None) -> str:
    """A digest as people compare it: its first 12 digits."""
    return "–" if not digest else digest.removeprefix("sha256:")[:_HEX_SHOWN]


def size(count: float) -> str:
    """Such as `94.1 MB`."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def wait_of(deployment: Mapping[str, Any]) -> str | None:
    """What it waits for; None where it goes on by itself."""
    waiting = deployment.get("waiting_for")
    if waiting is None:
        return None
    return f"waits for {_WAITS.get(waiting, waiting)}"


def reports_of(deployment: Mapping[str, Any]) -> list[str]:
    """What it proved so far, one sentence a report, in the order of its way."""
    reports = deployment.get("reports") or {}
    names = sorted(reports, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    return [f"{name}: {_report(name, reports[name])}" for name in names]


def flags_of(part: Mapping[str, Any]) -> list[str]:
    """The flags of a model that are up, in a word or two."""
    up = ((name, value) for name, value in part["flags"].items() if value is not None and value is not False)
    return [f"pinned to release {value}" if name == "pinned" else name.replace("_", " ") for name, value in up]


def notes_of(part: Mapping[str, Any]) -> list[str]:
    """What there is to say of a model besides its deployments: each flag that is up, and each trouble."""
    flags, details = part["flags"], part["flag_details"]
    up = [name for name, value in flags.items() if value is not None and value is not False]
    said = [str(details.get(name) or words) for name, words in zip(up, flags_of(part), strict=True)]
    return said + [str(detail) for name, detail in details.items() if detail and name not in flags]


def update_of(part: Mapping[str, Any]) -> str | None:
    """What could be had and is not taken; None where there is nothing."""
    update = part["update_available"]
    if not update:
        return None
    release = update.get("release")
    return f"release {release}" if release is not None else str(update.get("reference") or "another release")


def _report(name: str, report: Mapping[str, Any]) -> str:
    passed = report.get("passed")
    standing = "so far" if passed is None else "passed" if passed else "not passed"
    return f"{standing}; {_FACTS.get(name, _plain)(report)}"


def _acceptance(report: Mapping[str, Any]) -> str:
    if report.get("sentence"):
        return str(report["sentence"])
    return _plain(report)


def _shadow(report: Mapping[str, Any]) -> str:
    parts = int(report.get("parts") or 0)
    said = [f"{parts} parts seen"]
    if parts:
        said.append(f"{100 * (report.get('agreed') or 0) / parts:.1f} % agreed")
    said += _counts(report, ("new_passes", "passes of its own"), ("new_rejects", "rejects of its own"))
    drift = report.get("max_score_drift")
    if drift is not None:
        label = f" of {report['drift_label']}" if report.get("drift_label") else ""
        said.append(f"scores{label} moved by {drift:.3f}")
    times = report.get("candidate_ms_median"), report.get("serving_ms_median")
    if None not in times:
        said.append(f"{times[0]:.1f} ms a call, the serving model {times[1]:.1f} ms")
    return ", ".join(said + _counts(report, ("failed", "without its answer"), ("skipped", "not shown")))


def _canary(report: Mapping[str, Any]) -> str:
    said = [
        f"{report.get('parts') or 0} parts judged by both",
        f"{report.get('new_rejects') or 0} rejected by it alone",
    ]
    return ", ".join(said + _counts(report, ("failed", "without its answer"), ("skipped", "not shown")))


def _probation(report: Mapping[str, Any]) -> str:
    parts = int(report.get("parts") or 0)
    said = [f"{parts} parts", f"{report.get('late') or 0} late", f"{report.get('undefined') or 0} undefined"]
    if parts:
        said.append(f"{100 * (report.get('failed_parts') or 0) / parts:.1f} % fail")
    before = int(report.get("baseline_parts") or 0)
    if before:
        said[-1] += f" ({100 * (report.get('baseline_failed_parts') or 0) / before:.1f} % before)"
    return ", ".join(said + _counts(report, ("restarts", "restarts of the line")))


def _counts(report: Mapping[str, Any], *named: tuple[str, str]) -> list[str]:
    return [f"{report[name]} {what}" for name, what in named if report.get(name)]


def _plain(report: Mapping[str, Any]) -> str:
    """A report that nobody has found words for."""
    told = (f"{name.replace('_', ' ')} {value}" for name, value in report.items() if name != "passed")
    return ", ".join(told) or "no figures"


_FACTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "acceptance": _acceptance,
    "shadow": _shadow,
    "canary": _canary,
    "probation": _probation,
}
