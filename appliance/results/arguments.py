"""The options of `appliance results`, and what each is for. Imports nothing heavy: --help answers at once."""

import argparse
from pathlib import Path
from typing import Any, Final

from appliance.results.help import CONFIG, EXPORT, OUTBOX, REPLAY, RESULTS, STATS, TAIL, VERIFY
from appliance.results.moments import moment

EVALUATIONS: Final = ("OK", "NotOK", "NotDecidable", "Undefined")
BY: Final = ("camera", "recipe", "job", "reason", "model", "evaluation", "day", "hour", "shift")


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def add_results(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `results` to the commands of `appliance`."""
    results = commands.add_parser(
        "results",
        help="watch, take out, count and prove what was recorded",
        description="Watch, take out, count and prove what this box has recorded: the results that wait for the "
        "broker, and those that it has and that are kept.",
        formatter_class=_Raw,
        epilog=RESULTS,
    )
    verbs = results.add_subparsers(metavar="COMMAND", required=True)
    _add_tail(verbs)
    _add_export(verbs)
    _add_stats(verbs)
    _add_verify(verbs)
    _add_replay(verbs)
    _add_outbox(verbs)


def _add_tail(verbs: Any) -> None:
    command = _add(verbs, "tail", "the newest results, and each further one as it is recorded", TAIL)
    command.add_argument(
        "-n",
        "--lines",
        type=_whole,
        metavar="N",
        help="begin with the newest N (20; all with --since or --from-sequence)",
    )
    command.add_argument("--no-follow", action="store_true", help="print those, and end")
    command.add_argument("--json", action="store_true", help="JSON lines: the messages byte for byte, for programs")
    _add_source(command)
    _add_filters(command)
    command.set_defaults(command=_tail)


def _add_export(verbs: Any) -> None:
    command = _add(verbs, "export", "results into a file: CSV, JSON lines or Parquet", EXPORT)
    command.add_argument(
        "--format", choices=("csv", "jsonl", "parquet"), help="left out: as the file's name ends, else JSON lines"
    )
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to; left out: standard output")
    command.add_argument("--force", action="store_true", help="replace FILE if it is there")
    _add_rechecks(command, "adds the column `recheck`")
    _add_source(command, with_file=True)
    _add_filters(command)
    command.set_defaults(command=_export)


def _add_stats(verbs: Any) -> None:
    command = _add(verbs, "stats", "yield, rejects, latency and what is missing", STATS)
    command.add_argument(
        "--by",
        action="append",
        choices=BY,
        metavar="WHAT",
        help=f"a line for each of these: {', '.join(BY)}; may be given more than once (camera and recipe)",
    )
    command.add_argument(
        "--shifts", type=_shifts, metavar="H,H,..", default=(6, 14, 22), help="when shifts begin, local time (6,14,22)"
    )
    _add_rechecks(command, "adds escapes and false rejects")
    command.add_argument("--json", action="store_true", help="one JSON object, for programs")
    _add_source(command, with_file=True)
    _add_filters(command)
    command.set_defaults(command=_stats)


def _add_verify(verbs: Any) -> None:
    command = _add(verbs, "verify", "whether every number is there, and nothing was changed since", VERIFY)
    command.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="JSON lines, as exported or archived; left out: this box"
    )
    command.add_argument(
        "--expect",
        action="append",
        default=[],
        type=_digest,
        metavar="sha256:HEX",
        help="this digest of a last message that somebody noted has to be among them; may be given more than once",
    )
    command.add_argument("--json", action="store_true", help="one JSON object, for programs")
    _add_source(command)
    numbers = command.add_argument_group("which of them")
    _add_camera(numbers)
    _add_range(numbers)
    command.set_defaults(command=_verify)


def _add_replay(verbs: Any) -> None:
    command = _add(verbs, "replay", "have the running box publish results once more", REPLAY)
    command.add_argument("--camera", required=True, metavar="NAME", help="of this camera or group")
    command.add_argument("--from-sequence", type=_whole, required=True, metavar="N", help="the first, inclusive")
    command.add_argument("--to-sequence", type=_whole, required=True, metavar="N", help="the last, inclusive")
    command.add_argument("--stream", metavar="ID", help="of this stream; left out: the camera's newest")
    command.add_argument("--timeout", type=_seconds, default=600.0, metavar="S", help="wait so long at most (600)")
    command.add_argument("--json", action="store_true", help="one JSON object, for programs")
    source = command.add_argument_group("the box")
    source.add_argument(
        "--config", type=Path, default=CONFIG, metavar="FILE", help=f"the operator's TOML file ({CONFIG})"
    )
    source.add_argument("--socket", type=Path, metavar="FILE", help="the gateway's socket; instead of --config")
    command.set_defaults(command=_replay)


def _add_outbox(verbs: Any) -> None:
    command = _add(verbs, "outbox", "what waits, how old it is, how fast it goes out", OUTBOX)
    command.add_argument("--watch", action="store_true", help="stay, and show it anew; end with Ctrl-C")
    command.add_argument(
        "--interval", type=_seconds, default=2.0, metavar="S", help="seconds over which rates are measured (2)"
    )
    command.add_argument("--json", action="store_true", help="JSON, for programs; with --watch a line each time")
    _add_source(command)
    command.set_defaults(command=_outbox)


def _add(verbs: Any, name: str, what: str, epilog: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = verbs.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", formatter_class=_Raw, epilog=epilog
    )
    return command


def _add_source(command: argparse.ArgumentParser, *, with_file: bool = False) -> None:
    group = command.add_argument_group("where from")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--config", type=Path, metavar="FILE", help=f"the operator's TOML file ({CONFIG})")
    source.add_argument("--outbox", type=Path, metavar="FOLDER", help="an outbox folder, or a copy of another box's")
    if with_file:
        source.add_argument("--file", type=Path, metavar="FILE", help="JSON lines, as exported or archived")


def _add_filters(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which of them")
    _add_camera(group)
    group.add_argument("--since", type=moment, metavar="WHEN", help="recorded from then on: 2h, 7d, 2026-11-20T06:00Z")
    group.add_argument("--until", type=moment, metavar="WHEN", help="recorded up to then")
    _add_range(group)
    group.add_argument("--verdict", choices=("pass", "fail"), help="what the gate read")
    group.add_argument("--evaluation", action="append", choices=EVALUATIONS, help="may be given more than once")
    group.add_argument(
        "--reason", action="append", metavar="CODE", help="FRAME_MISSING, ..; may be given more than once"
    )
    group.add_argument("--recipe", metavar="ID", help="judged by this recipe")
    group.add_argument("--part", metavar="ID", help="of this part_id")


def _add_camera(group: Any) -> None:
    group.add_argument("--camera", metavar="NAME", help="of this camera or group")


def _add_range(group: Any) -> None:
    group.add_argument("--stream", metavar="ID", help="of this stream")
    group.add_argument("--from-sequence", type=_whole, metavar="N", help="from this number on, inclusive")
    group.add_argument("--to-sequence", type=_whole, metavar="N", help="up to this number, inclusive")


def _add_rechecks(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument(
        "--rechecks",
        type=Path,
        metavar="FILE",
        help=f"{what}: CSV or JSON lines with result_id or part_id, and recheck: good or bad",
    )


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or above")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0.1 and 86400 seconds")
    return value


def _digest(text: str) -> str:
    digits = text.lower().removeprefix("sha256:")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(f"{text!r} is no digest: sha256: and 64 hexadecimal digits")
    return f"sha256:{digits}"


def _shifts(text: str) -> tuple[int, ...]:
    try:
        hours = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        hours = ()
    if not hours or not all(0 <= hour < 24 for hour in hours):
        raise argparse.ArgumentTypeError(f"{text!r} are no hours of the day, as in 6,14,22")
    return hours


def _tail(options: argparse.Namespace) -> int:
    from appliance.results.tail import tail

    return tail(options)


def _export(options: argparse.Namespace) -> int:
    from appliance.results.export import export

    return export(options)


def _stats(options: argparse.Namespace) -> int:
    from appliance.results.stats import stats

    return stats(options)


def _verify(options: argparse.Namespace) -> int:
    from appliance.results.verify import verify

    return verify(options)


def _replay(options: argparse.Namespace) -> int:
    from appliance.results.replay import replay

    return replay(options)


def _outbox(options: argparse.Namespace) -> int:
    from appliance.results.outbox import outbox

    return outbox(options)
