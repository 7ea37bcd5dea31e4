"""Deliveries as text for a terminal. Pure: JSON in, lines out."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from appliance.client.tables import age, table
from appliance.steering.document import Document, progress
from appliance.steering.sentences import (
    ENDS,
    WAY,
    WRONG_ENDS,
    flags_of,
    notes_of,
    release_of,
    reports_of,
    short,
    size,
    update_of,
    wait_of,
)

_LISTED: Final = 10
_BAR: Final = 24
_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show."""

    width: int = 100
    color: bool = False
    plain: bool = False
    """Nothing but ASCII."""

    def mark(self, text: str, code: str) -> str:
        """In that colour, where there are colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    @property
    def rule(self) -> str:
        """Between two states."""
        return " - " if self.plain else " ─ "

    def bar(self, share: float) -> str:
        """Of some 24 characters."""
        done = round(share * _BAR)
        return "#" * done + "." * (_BAR - done) if self.plain else "█" * done + "░" * (_BAR - done)


def clean(text: Any) -> str:
    """Without what could steer a terminal: sentences come from files and networks."""
    return "".join(one if one.isprintable() else "?" for one in str(text))


def overview(document: Document, now: datetime) -> str:
    """What serves, what is on its way, and what came before."""
    models = document["models"]
    rows = [_row(name, part, now) for name, part in sorted(models.items())]
    parts = [table(("MODEL", "SERVES", "VERSION", "DIGEST", "NEWEST", "STATE", "FOR", "ASKED BY", "FLAGS"), rows)]
    parts += [
        f"{name}: {clean(note)}"
        for name, part in sorted(models.items())
        for note in notes_of(part)
        if note not in flags_of(part)
    ]
    if document["deployments"]:
        parts += ["", listing(document["deployments"][:_LISTED], now)]
    return "\n".join(parts)


def listing(deployments: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Deployments, newest first."""
    rows = []
    for one in deployments:
        why = "; ".join(filter(None, (wait_of(one), one["detail"])))
        rows.append((one["id"], one["model"], _what(one), _state(one), age(one["created"], now), clean(why)))
    return table(("DEPLOYMENT", "MODEL", "RELEASE", "STATE", "AGE", ""), rows)


def details(one: Mapping[str, Any]) -> str:
    """All that is known of one deployment."""
    facts = [
        ("deployment", one["id"]),
        ("model", one["model"]),
        ("release", f"{_what(one)}, version {_or_dash(one['version'])}, {one['digest'] or 'digest not known yet'}"),
        ("from", one["reference"]),
        ("state", f"{_state(one)} since {one['since']}" + (f", {wait_of(one)}" if one["waiting_for"] else "")),
        ("why", " ".join(filter(None, (one["reason"] and f"{one['reason']}:", one["detail"])))),
        ("asked by", one["requested_by"] + (f" ({one['request_id']})" if one["request_id"] else "")),
        ("approved by", one["approved_by"] or ""),
        ("created", one["created"]),
        ("before it", "" if one["previous"] is None else f"release {one['previous']}"),
        ("bytes", f"{size(one['bytes_done'])} of {size(one['bytes_total'])}, {size(one['bytes_fetched'])} fetched"),
        *(tuple(sentence.split(": ", 1)) for sentence in reports_of(one)),
    ]
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name:{width}}  {clean(value)}" for name, value in facts if value)


def audit(entries: Sequence[Mapping[str, Any]]) -> str:
    """The log, newest first; whatever else an entry tells stands at its end."""
    known = ("at", "who", "source", "verb", "model")
    rows = []
    for entry in entries:
        more = (f"{name}={value}" for name, value in entry.items() if name not in known and value not in (None, {}, ""))
        rows.append((*(clean(entry.get(name) or "-") for name in known), clean(" ".join(more))))
    if not rows:
        return "Nobody has changed anything yet."
    return table(("AT", "WHO", "FROM", "WHAT", "MODEL", ""), rows)


def live(document: Document, rates: Mapping[str, float], look: Look) -> list[str]:
    """The view of --watch. `rates`: bytes a second, by deployment."""
    at = document["at"].replace("T", " ")[:19]
    lines = [look.mark(f"{clean(document['station'])}  {at}Z", "1")]
    for name, part in sorted(document["models"].items()):
        lines += ["", *_model(name, part, rates, look)]
    return lines


def changes(before: Document | None, after: Document) -> list[str]:
    """What is new, a line each: for a log, where nothing can be drawn anew."""
    lines = []
    for name, part in sorted(after["models"].items()):
        old = None if before is None else before["models"].get(name)
        told = [] if old is None else _standing(old)
        lines += [f"{after['at'][11:19]}Z {name}: {line}" for line in _standing(part) if line not in told]
    return lines


def _standing(part: Mapping[str, Any]) -> list[str]:
    """What a log should have of one model, each time it is another."""
    lines = [f"serves {release_of(part['active'])}", *(clean(note) for note in notes_of(part))]
    one = part["deployment"]
    if one is not None:
        lines.append(_headline(one))
        finished = {name: report for name, report in one["reports"].items() if report.get("passed") is not None}
        lines += [clean(report) for report in reports_of({"reports": finished})]
    return lines


def _headline(one: Mapping[str, Any]) -> str:
    said = [f"{_what(one)} {_state(one)}", wait_of(one), one["detail"] if one["state"] in ENDS else None]
    return clean(", ".join(filter(None, said)))


def _row(name: str, part: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    active, one = part["active"], part["deployment"]
    flags = "; ".join([*flags_of(part), *(f"update available: {update}" for update in [update_of(part)] if update)])
    return (
        name,
        "nothing" if active is None else f"release {active['release']}",
        "-" if active is None else str(active["version"]),
        "-" if active is None else short(active["digest"]),
        *(("-",) * 4 if one is None else (_what(one), _state(one), age(one["since"], now), clean(one["requested_by"]))),
        clean(flags or "-"),
    )


def _model(name: str, part: Mapping[str, Any], rates: Mapping[str, float], look: Look) -> list[str]:
    lines = [f"{look.mark(name, '1')}  serves {release_of(part['active'])}"]
    lines += [look.mark(line, "33") for note in notes_of(part) for line in _wrapped(f"! {clean(note)}", look)]
    update = update_of(part)
    if update is not None:
        lines.append(_fit(f"update available: {clean(update)}", look))
    one = part["deployment"]
    if one is None:
        return [*lines, f"{_INDENT}nothing was deployed yet"]
    lines.append(_fit(f"{_what(one)} from {clean(one['reference'])}, asked for by {clean(one['requested_by'])}", look))
    lines += _way(one["state"], look)
    if one["state"] == "downloading":
        lines.append(_fit(_download(one, rates.get(one["id"]), look), look))
    told = [text for text in (wait_of(one), one["detail"]) if text] + reports_of(one)
    return lines + [line for text in told for line in _wrapped(clean(text), look)]


def _way(state: str, look: Look) -> list[str]:
    """All states in order, the one where it is marked; its end alone where it left the way."""
    if state not in WAY:
        return [_INDENT + look.mark(_words(state), "31;1" if state in WRONG_ENDS else "1")]
    at = WAY.index(state)
    lines, used = [_INDENT], len(_INDENT)
    for number, one in enumerate(WAY):
        text = f"[{one}]" if number == at and not look.color else one
        joint = "" if number == 0 else look.rule
        if used + len(joint) + len(text) > look.width:
            lines, used = [*lines, _INDENT], len(_INDENT)
        code = "7" if number == at else "32" if number < at else "2"
        lines[-1] += joint + look.mark(text, code)
        used += len(joint) + len(text)
    return lines


def _download(one: Mapping[str, Any], rate: float | None, look: Look) -> str:
    share = progress(one)
    if share is None:
        return "reads what is announced"
    speed = "" if not rate else f"  {rate / 1e6:.1f} MB/s"
    amount = f"{size(one['bytes_done'])} of {size(one['bytes_total'])}"
    return f"{look.bar(share)}  {100 * share:.0f} %  {amount}{speed}"


def _fit(text: str, look: Look) -> str:
    """One line of the terminal."""
    room = look.width - len(_INDENT)
    return _INDENT + (text if len(text) <= room else text[: room - 1] + ("~" if look.plain else "…"))


def _wrapped(text: str, look: Look) -> list[str]:
    """As many lines as it needs."""
    return textwrap.wrap(
        text, max(20, look.width), initial_indent=_INDENT, subsequent_indent=_INDENT * 2, break_on_hyphens=False
    )


def _what(one: Mapping[str, Any]) -> str:
    return "release not known yet" if one["release"] is None else f"release {one['release']}"


def _state(one: Mapping[str, Any]) -> str:
    share = progress(one)
    words = _words(str(one["state"]))
    return f"{words} {100 * share:.0f} %" if one["state"] == "downloading" and share is not None else words


def _words(state: str) -> str:
    return state.replace("_", " ")


def _or_dash(value: Any) -> str:
    return "–" if value is None else str(value)
