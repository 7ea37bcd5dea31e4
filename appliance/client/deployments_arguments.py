"""The options of `appliance deployments`. Imports nothing heavy: --help answers at once."""

import argparse
import re
from typing import Any, Final

from appliance.client.box_arguments import add_box

_DEPLOYMENTS: Final = """examples:
  appliance deployments                                  what serves, what is on its way, what came before
  appliance deployments --watch                          the same, live
  appliance deployments show 0193a5f0-8a2b-7c61-9d4e-05f3a1b2c3d4
  appliance deployments start surface --tag stable       take what this tag of the configured source names
  appliance deployments approve surface                  let the one that waits for a person go on
  appliance deployments rollback surface                 back to the release before, now
  appliance deployments pin surface                      stay with what serves, whatever is published
  appliance deployments --box http://line3-box1:8080 --token-file ~/.appliance-token pause surface

On the box itself nothing more is needed; from elsewhere changes need a token that its http.tokens_file names. Each
command says more with --help. Exit code 0: well; 1: the box said no, or is not there; 2: wrong usage.
"""
_START: Final = """examples:
  appliance deployments start surface                    what the configured source names now
  appliance deployments start surface --tag stable
  appliance deployments start surface --digest sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  appliance deployments start surface --release 12 --force

It names a release at the source that the box is configured with, and never says where that is. What comes is verified,
examined and watched as always. --force tries a digest again that failed here before; it skips no proof.
"""
_WAYS: Final = "A deployment's id, or a model: then its live deployment."


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def add_deployments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `deployments` to the commands of `appliance`."""
    deployments = commands.add_parser(
        "deployments",
        help="see and steer how models come onto a box",
        description="See and steer how models come onto a box.",
        formatter_class=_Raw,
        epilog=_DEPLOYMENTS,
    )
    add_box(deployments, is_inner=False)
    deployments.add_argument("--watch", action="store_true", help="stay, and show each change; end with Ctrl-C")
    deployments.set_defaults(command=_run, verb="overview")
    verbs = deployments.add_subparsers(metavar="COMMAND")
    _add(verbs, "show", "all that is known of one deployment").add_argument("id", metavar="ID")
    _add_start(verbs)
    _add_of_one(verbs, "cancel", "end a deployment that does not serve yet")
    _add_of_one(verbs, "approve", "let a deployment that waits for a person go on")
    _add_of_model(verbs, "rollback", "serve the release before, now")
    pin = _add_of_model(verbs, "pin", "stay with a release, whatever is published")
    pin.add_argument("--release", type=_whole, metavar="N", help="this one; left out: the one that serves")
    _add_of_model(verbs, "unpin", "follow what is published again")
    _add_of_model(verbs, "pause", "begin no deployment, and activate none")
    _add_of_model(verbs, "resume", "go on after pause")
    look = _add(verbs, "look", "ask the registry now, and not at the next poll")
    look.add_argument("model", metavar="MODEL", nargs="?", help="left out: all of them")
    audit = _add(verbs, "audit", "who changed what, when, from where")
    audit.add_argument("--limit", type=_whole, default=50, metavar="N", help="the newest N changes (50)")


def _add(verbs: Any, name: str, what: str, epilog: str | None = None) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = verbs.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", formatter_class=_Raw, epilog=epilog
    )
    add_box(command, is_inner=True)
    command.set_defaults(verb=name)
    return command


def _add_start(verbs: Any) -> None:
    command = _add(verbs, "start", "ask for a release of the configured source", _START)
    command.add_argument("model", metavar="MODEL")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--tag", help="what this tag names now")
    which.add_argument("--digest", metavar="sha256:HEX", help="exactly this content")
    which.add_argument("--release", type=_whole, metavar="N", help="the release with this number")
    command.add_argument("--force", action="store_true", help="try also a digest that failed here before")


def _add_of_model(verbs: Any, name: str, what: str) -> argparse.ArgumentParser:
    command = _add(verbs, name, what)
    command.add_argument("model", metavar="MODEL")
    return command


def _add_of_one(verbs: Any, name: str, what: str) -> None:
    _add(verbs, name, what).add_argument("which", metavar="ID|MODEL", help=_WAYS)


def _run(options: argparse.Namespace) -> int:
    from appliance.client.deployments import run

    return run(options)


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or above")
    return int(text)
