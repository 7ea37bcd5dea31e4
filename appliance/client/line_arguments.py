"""The options of `appliance trigger` and `appliance recipe`. Imports nothing heavy: --help answers at once."""

import argparse
from pathlib import Path
from typing import Any, Final

from appliance.client.box_arguments import add_box

_TRIGGER: Final = """examples:
  appliance trigger top                                   a part is in front of the camera top
  appliance trigger housing --part-id "SN 4711" --wait    the group housing of [parts]; and what came of it
  appliance trigger top --socket /var/lib/appliance/line.sock
  appliance trigger top --box http://line3-box1:8080 --token-file ~/.appliance-token

For cameras and groups with trigger = "command". The part is judged as any other, and its result goes out by MQTT.
Exit code 0: it was triggered, whatever the verdict; 1: it was not, or its result did not come; 2: wrong usage.
"""
_RECIPE: Final = """examples:
  appliance recipe list                                   which recipes there are, and where each is in force
  appliance recipe show                                   what is in force on each camera, since when, for which job
  appliance recipe show top
  appliance recipe switch housing-b --job "order 4711"    on all cameras, between two parts
  appliance recipe switch housing-b --camera top
  appliance recipe switch housing-b --box http://line3-box1:8080 --token-file ~/.appliance-token

A recipe is tried before it is in force: where it cannot be, the one before stays. Parts that were triggered before are
judged by the recipe before. On the box itself nothing more is needed; from elsewhere changes need a token that its
http.tokens_file names. Exit code 0: well; 1: the box said no, or is not there; 2: wrong usage.
"""


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def add_trigger(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `trigger` to the commands of `appliance`."""
    command = commands.add_parser(
        "trigger",
        help="tell a box that a part is there",
        description="Tell a box that a part is in front of a camera, or of a group of cameras.",
        formatter_class=_Raw,
        epilog=_TRIGGER,
    )
    command.add_argument("name", metavar="NAME", help="a camera, or a group under [parts]")
    command.add_argument("--part-id", metavar="ID", help="what the plant calls the part; it comes back in the result")
    command.add_argument("--wait", action="store_true", help="wait for the result (10 s at most), and print it")
    _add_line(command, is_inner=False)
    command.set_defaults(command=_run, verb="trigger")


def add_recipe(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Any:
    """Add `recipe` to the commands of `appliance`. Returns its subparsers, for what others add to it."""
    recipe = commands.add_parser(
        "recipe",
        help="see and change which recipe parts are judged by",
        description="See and change which recipe parts are judged by.",
        formatter_class=_Raw,
        epilog=_RECIPE,
    )
    _add_line(recipe, is_inner=False)
    recipe.set_defaults(command=_run, verb="show", camera=None)
    verbs = recipe.add_subparsers(metavar="COMMAND")
    _add(verbs, "list", "which recipes there are, and where each is in force")
    show = _add(verbs, "show", "what is in force on each camera")
    show.add_argument("camera", metavar="CAMERA", nargs="?", help="all that is known of this one")
    switch = _add(verbs, "switch", "change over to a recipe, between two parts")
    switch.add_argument("recipe", metavar="RECIPE")
    switch.add_argument("--camera", metavar="NAME", help="this camera or group; left out: all cameras")
    switch.add_argument("--job", metavar="ID", help="what the plant calls the order; it stands in the results")
    return verbs


def _add(verbs: Any, name: str, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = verbs.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", formatter_class=_Raw
    )
    _add_line(command, is_inner=True)
    command.set_defaults(verb=name)
    return command


def _add_line(command: argparse.ArgumentParser, *, is_inner: bool) -> None:
    """Where the box is; or, on the box itself, the line's own socket, which answers also without the gateway."""
    add_box(command, is_inner=is_inner)
    default = argparse.SUPPRESS if is_inner else None
    command.add_argument(
        "--socket",
        type=Path,
        metavar="FILE",
        default=default,
        help="the line's own socket in the state folder (line.sock), on the box itself; instead of --box",
    )


def _run(options: argparse.Namespace) -> int:
    from appliance.client.line import run

    return run(options)
