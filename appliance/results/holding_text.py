"""What two looks at an outbox say, for a person and for a program. Pure."""

from collections.abc import Iterator
from typing import Any, TextIO

from appliance.results.holding import Look
from appliance.results.moments import span
from appliance.results.moments import text as moment
from appliance.results.terminal import GREEN, RED, YELLOW, clean, coloured, count, size, table

_ALARM_SHARE = 0.8


def text(before: Look, now: Look, out: TextIO) -> str:
    """A few lines and tables."""
    return "\n\n".join(_blocks(before, now, out))


def _blocks(before: Look, now: Look, out: TextIO) -> Iterator[str]:
    sentence, colour = state(before, now)
    yield f"{now.folder / now.file_name}: {coloured(sentence, colour, out)}"
    yield _figures(before, now)
    if now.streams:
        yield _streams(now)
    if now.lags:
        yield _consumers(now)
    if now.damaged:
        said = f"Set aside as damaged: {', '.join(now.damaged)}: have the disk looked at; what could be read is here."
        yield coloured(said, RED, out)


def state(before: Look, now: Look) -> tuple[str, str]:
    """One sentence, and its colour."""
    waiting = now.holding.waiting
    sent = _per_s(before, now)["sent_per_s"]
    if waiting == 0:
        return (
            ("nothing waits: the broker has everything", GREEN)
            if now.is_written is not False
            else (
                "nothing waits; no line records into it now",
                GREEN,
            )
        )
    if sent > 0:
        return f"{count(waiting)} wait, and they go out", GREEN if waiting < 100 else YELLOW
    if now.is_written is False:
        return f"{count(waiting)} wait; no line records into it now, so nobody sends them", YELLOW
    share = _share(now)
    almost = "" if share is None or share < _ALARM_SHARE else f"; {share:.0%} of the room is taken"
    return f"{count(waiting)} wait, and none goes out: look at /healthz for the broker{almost}", RED


def _figures(before: Look, now: Look) -> str:
    held, rates = now.holding, _per_s(before, now)
    rows = [
        ("waiting", f"{count(held.waiting)} ({size(held.waiting_bytes)})", _of_limit(now)),
        ("oldest waiting", _age(held.oldest_waiting_utc_ns, now), _at(held.oldest_waiting_utc_ns)),
        ("kept", f"{count(held.kept)} ({size(held.kept_bytes)})", _keep(now)),
        ("kept since", _age(held.oldest_kept_utc_ns, now), _at(held.oldest_kept_utc_ns)),
        ("recorded", f"{rates['recorded_per_s']:.1f} a second", ""),
        ("sent", f"{rates['sent_per_s']:.1f} a second", _left(now, rates)),
        ("file", size(now.file_bytes), ""),
    ]
    return table(["", "", ""], rows).lstrip("\n")


def _of_limit(now: Look) -> str:
    share = _share(now)
    return "" if share is None or now.max_bytes is None else f"{share:.1%} of max_bytes, {size(now.max_bytes)}"


def _share(now: Look) -> float | None:
    return now.holding.waiting_bytes / now.max_bytes if now.max_bytes else None


def _keep(now: Look) -> str:
    return "" if now.keep_days is None else f"for {now.keep_days:g} days"


def _age(at_utc_ns: int | None, now: Look) -> str:
    return "-" if at_utc_ns is None else f"{span(max(0.0, (now.at_utc_ns - at_utc_ns) / 1e9))} ago"


def _at(at_utc_ns: int | None) -> str:
    return "" if at_utc_ns is None else moment(at_utc_ns)


def _left(now: Look, rates: dict[str, float]) -> str:
    faster = rates["sent_per_s"] - rates["recorded_per_s"]
    if now.holding.waiting < 100 or faster <= 0:
        return ""
    return f"done in about {span(now.holding.waiting / faster)}"


def _per_s(before: Look, now: Look) -> dict[str, float]:
    """A rebuilt file begins a million rows further on: nothing is said of that interval."""
    elapsed_s = (now.at_ns - before.at_ns) / 1e9
    if before.file_name != now.file_name or elapsed_s <= 0:
        return {"recorded_per_s": 0.0, "sent_per_s": 0.0}
    return {
        "recorded_per_s": max(0, now.holding.newest_row - before.holding.newest_row) / elapsed_s,
        "sent_per_s": max(0, now.holding.acknowledged - before.holding.acknowledged) / elapsed_s,
    }


def _streams(now: Look) -> str:
    rows = []
    for one in now.streams:
        acknowledged = now.acknowledged.sequences.get(one.stream)
        rows.append(
            [
                clean(one.camera),
                one.stream,
                str(one.first),
                str(one.last),
                "-" if acknowledged is None else str(acknowledged),
                count(max(0, one.last - max(acknowledged or 0, one.first - 1))),
            ]
        )
    headings = ["camera", "stream", "first", "last", "broker has", "waiting"]
    return table(headings, rows, frozenset(headings[2:]))


def _consumers(now: Look) -> str:
    rows = [
        [
            clean(one.consumer),
            clean(one.camera),
            "never heard of" if one.confirmed is None else str(one.confirmed.sequence),
            count(one.behind),
        ]
        for one in now.lags
    ]
    return table(["consumer", "camera", "confirmed", "behind"], rows, frozenset({"confirmed", "behind"}))


def as_json(before: Look, now: Look) -> dict[str, Any]:
    """For programs."""
    held = now.holding
    return {
        "at": moment(now.at_utc_ns),
        "folder": str(now.folder),
        "file": now.file_name,
        "file_bytes": now.file_bytes,
        "max_bytes": now.max_bytes,
        "keep_days": now.keep_days,
        "state": state(before, now)[0],
        "is_recording": now.is_written,
        "waiting": held.waiting,
        "waiting_bytes": held.waiting_bytes,
        "waiting_share": _share(now),
        "oldest_waiting": None if held.oldest_waiting_utc_ns is None else moment(held.oldest_waiting_utc_ns),
        "oldest_waiting_s": None
        if held.oldest_waiting_utc_ns is None
        else max(0.0, round((now.at_utc_ns - held.oldest_waiting_utc_ns) / 1e9, 3)),
        "kept": held.kept,
        "kept_bytes": held.kept_bytes,
        "kept_since": None if held.oldest_kept_utc_ns is None else moment(held.oldest_kept_utc_ns),
        **{name: round(rate, 3) for name, rate in _per_s(before, now).items()},
        "streams": [
            {
                "camera": one.camera,
                "stream": one.stream,
                "first": one.first,
                "last": one.last,
                "messages": one.rows,
                "acknowledged": now.acknowledged.sequences.get(one.stream),
            }
            for one in now.streams
        ],
        "consumers": [
            {
                "consumer": one.consumer,
                "camera": one.camera,
                "stream": one.confirmed and one.confirmed.stream,
                "confirmed": one.confirmed and one.confirmed.sequence,
                "behind": one.behind,
            }
            for one in now.lags
        ],
        "damaged_files": list(now.damaged),
    }
