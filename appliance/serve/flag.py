"""What a command-line flag is, and how flags of tensorflow_model_server's kind are read."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Value = str | int | float | bool

_TRUE: Final = ("true", "1", "t", "yes")
_FALSE: Final = ("false", "0", "f", "no")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag, as the table has it; its kind is that of its default."""

    name: str
    default: Value
    meaning: str
    no_effect: str | None = None
    """Why giving it changes nothing here; None: it does."""


def add_flags(parser: argparse.ArgumentParser, groups: Sequence[tuple[str, Sequence[Flag]]]) -> None:
    """Let `parser` know them: `--flag=value`, `--flag value`; of booleans also `--flag` alone.

    What was not given is not in the namespace.
    """
    for title, flags in groups:
        group = parser.add_argument_group(title)
        for flag in flags:
            _add(group, flag)


def _add(group: "argparse._ArgumentGroup", flag: Flag) -> None:
    meaning = flag.meaning.replace("%", "%%")
    if flag.no_effect is not None:
        meaning = f"No effect here: {flag.no_effect}".replace("%", "%%")
    elif flag.default != "" and flag.default is not False:
        meaning += f" [{_shown(flag.default)}]"
    if isinstance(flag.default, bool):
        group.add_argument(
            f"--{flag.name}",
            nargs="?",
            const=True,
            default=argparse.SUPPRESS,
            type=_boolean,
            metavar="BOOL",
            help=meaning,
        )
    else:
        kind = type(flag.default)
        group.add_argument(
            f"--{flag.name}",
            default=argparse.SUPPRESS,
            type=kind,
            metavar={int: "N", float: "X", str: "TEXT"}[kind],
            help=meaning,
        )


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _shown(default: Value) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)
