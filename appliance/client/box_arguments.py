"""The options by which every command that steers a box finds it. Imports nothing heavy: --help answers at once."""

import argparse
from pathlib import Path
from typing import Any, Final

BOX: Final = "http://127.0.0.1:8080"


def add_box(command: argparse.ArgumentParser, *, is_inner: bool) -> None:
    """Before and after the verb; what stands after it counts."""

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if is_inner else value

    command.add_argument("--json", action="store_true", default=default(False), help="print JSON, for programs")  # noqa: FBT003
    box = command.add_argument_group("the box")
    box.add_argument("--box", metavar="URL", default=default(BOX), help=f"where its page is ({BOX})")
    box.add_argument(
        "--token-file", type=Path, metavar="FILE", default=default(None), help="the token, for changes from elsewhere"
    )
    box.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", default=default(10.0), help="wait so long for an answer (10)"
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0 and up to 3600")
    return seconds
