"""The options of `appliance camera learn`. Imports nothing heavy: --help answers at once."""

import argparse
from pathlib import Path
from typing import Any, Final

_LEARN: Final = """examples:
  appliance camera learn --config appliance.toml --camera top                 50 good parts, as the line triggers them
  appliance camera learn --config appliance.toml --camera top --pictures 300 --write
  appliance camera learn --config appliance.toml --camera top --folder good/  pictures that were kept

Every picture has to show a good part, whole, in its place, with the light as it shall be; let the usual variety pass.
It prints what was measured, the limits, and the section [recipes.NAME.quality]; --write puts that into the file
(the old one stays as FILE.bak). Exit code 0: limits were found; 1: they were not, and the sentence says why.
"""


def add_learn(kinds: Any) -> None:
    """Add `learn` to the commands of `appliance camera`; `kinds` is what add_subparsers() gave."""
    command = kinds.add_parser(
        "learn",
        help="limits of the picture's quality, from good pictures",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_LEARN,
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="the operator's TOML file")
    command.add_argument("--camera", metavar="NAME", help="which of its cameras; may be left out where there is one")
    command.add_argument("--pictures", type=_count, metavar="N", help="how many (50; of a folder all)")
    command.add_argument("--folder", type=Path, metavar="DIR", help="good pictures, instead of the camera's")
    command.add_argument("--recipe", metavar="NAME", help="whose limits (the camera's recipe)")
    command.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for a part (60)")
    command.add_argument("--write", action="store_true", help="put the limits into the file")
    command.set_defaults(command=_learn)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 100000")
    return int(text)


def _learn(options: argparse.Namespace) -> int:
    from appliance.commissioning.learning import learn_limits

    return learn_limits(options)
