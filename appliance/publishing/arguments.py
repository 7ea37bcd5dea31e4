"""The options of the publisher's commands, and what each is for. Imports nothing heavy: --help answers at once."""

import argparse
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

Commands = Any
"""`argparse._SubParsersAction[argparse.ArgumentParser]`."""

_KEYS_NEW: Final = """example:
  appliance keys new plant --folder ~/keys

It writes plant.key, which signs and stays with you, and plant.pub, which boxes trust: copy it to each box and name
it under trusted_keys. Make a second pair from the start, name it on the boxes too, and keep it elsewhere: it is the
way out when the first is lost.
"""
_KEYS: Final = """examples:
  appliance keys new plant
  appliance keys show plant.pub
"""
_PACKAGE: Final = """examples:
  appliance package model.keras --out surface-7 --model surface --version 7 \\
      --inspection inspection.json --golden-from pictures/ --card README.md
  appliance package exported/ --out surface-7 --model surface --version 7 --inspection inspection.json
  appliance package models:/surface@champion --tracking https://mlflow:5000 --out surface-8 --model surface --version 8

SOURCE is a Keras file (.keras), a SavedModel's folder, an MLflow model's folder, or a registered model of an MLflow
server. A Keras model is exported with its weights once, not twice as keras.Model.export() does.
inspection.json says what the model sees and what its scores mean; SOURCE may bring one (assets.extra/inspection.json).
--golden-from holds a folder of pictures for each label: whole frames, or cut to the model's size. The model's own
scores for them go with the package, and every box has to come to the same.
"""
_LINT: Final = """examples:
  appliance lint surface-7
  appliance lint surface-7 --json

Exit code 0: no errors (there may be warnings); 1: errors. Each finding says what to do.
"""
_SIGN: Final = """examples:
  appliance sign surface-7 --key plant.key --release 12 --line 'acme/linz/*/line3'
  appliance sign surface-7 --key plant.key --release next --registry oci://registry.local/models/surface:stable
  appliance sign surface-7 --key plant.key --release 13 --revoke sha256:1f2e... --notes 'release 12 passes scratches'

It writes release.json (what this is, for whom, until when) and model.sig (OpenSSF model signing) into the folder.
Release numbers rise with everything published for a model; a box takes no lower one.
"""
_PUSH: Final = """examples:
  appliance push surface-7 oci://registry.local/models/surface:stable
  appliance push surface-7 oci+http://127.0.0.1:5000/models/surface:stable        a registry without TLS
  appliance push surface-7 oci://gitlab.local:5050/group/surface:stable --plain-image
  appliance push surface-7 /mnt/usb/surface                                       a folder, a share, a stick

Files that the registry holds already are not sent again. Logins are those of `docker login`, or --credentials.
To a site without a network: skopeo copy --preserve-digests docker://REGISTRY/... oci:/mnt/usb/surface, and back there.
"""
_DEPLOY: Final = """examples:
  appliance deploy surface-7 oci://registry.local/models/surface:stable --key plant.key
  appliance deploy surface-7 oci://registry.local/models/surface:stable --key plant.key \\
      --box http://line3-box1:8080 --token-file token

Lint, sign as the next release, push; with --box also asks that box for it and follows until it serves or is refused.
Exit code 0: it serves (without --box: it was pushed); 1: not.
"""


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def add_publishing(commands: Commands) -> None:
    """Add `keys`, `package`, `lint`, `sign`, `push` and `deploy` to the commands of `appliance`."""
    _add_keys(commands)
    _add_package(commands)
    _add_lint(commands)
    _add_sign(commands)
    _add_push(commands)
    _add_deploy(commands)


def _add(commands: Commands, name: str, what: str, examples: str, run: Callable[[argparse.Namespace], int]) -> Any:
    command = commands.add_parser(name, help=what, description=f"{what}.", formatter_class=_Raw, epilog=examples)
    command.set_defaults(command=run)
    return command


def _add_keys(commands: Commands) -> None:
    keys = commands.add_parser(
        "keys", help="make and show the keys that sign packages", formatter_class=_Raw, epilog=_KEYS
    )
    kinds = keys.add_subparsers(metavar="COMMAND", required=True)
    new = _add(kinds, "new", "make a pair: NAME.key signs, NAME.pub is what boxes trust", _KEYS_NEW, _keys_new)
    new.add_argument("name", metavar="NAME", type=_name, help="of the two files")
    new.add_argument("--folder", type=Path, default=Path(), help="where to put them (here)")
    new.add_argument("--passphrase-file", type=Path, metavar="FILE", help="encrypt NAME.key with the words in FILE")
    show = _add(
        kinds, "show", "print a key's id and its file", "example:\n  appliance keys show plant.pub\n", _keys_show
    )
    show.add_argument("file", metavar="FILE", type=Path, help="a .pub or a .key")
    show.add_argument("--passphrase-file", type=Path, metavar="FILE", help="of an encrypted .key")


def _add_package(commands: Commands) -> None:
    command = _add(commands, "package", "make a package out of a trained model", _PACKAGE, _package)
    command.add_argument("source", metavar="SOURCE", help="a .keras file, a folder, or models:/NAME@ALIAS")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="the package's folder")
    command.add_argument("--model", required=True, metavar="NAME", help="as the boxes' configurations name it")
    command.add_argument("--version", type=_whole, required=True, metavar="N", help="stands for this content for ever")
    command.add_argument("--inspection", type=Path, metavar="FILE", help="inspection.json: input, labels, limits")
    command.add_argument(
        "--labels", type=_labels, default=(), metavar="A,B,..", help="the classes, in the scores' order"
    )
    golden = command.add_mutually_exclusive_group()
    golden.add_argument("--golden-from", type=Path, metavar="DIR", help="pictures: a folder for each label")
    golden.add_argument("--golden", type=Path, metavar="DIR", help="finished samples, with their samples.json")
    command.add_argument("--tolerance", type=float, default=0.02, help="how far a box' scores may be off (0.02)")
    command.add_argument("--card", type=Path, metavar="FILE", help="the model card, a README.md")
    command.add_argument("--tracking", metavar="URL", help="the MLflow server (MLFLOW_TRACKING_URI)")
    command.add_argument("--replace", action="store_true", help="replace the package that is at DIR")


def _add_lint(commands: Commands) -> None:
    command = _add(commands, "lint", "look a package over before boxes do", _LINT, _lint)
    command.add_argument("folder", metavar="DIR", type=Path, help="the package")
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


def _add_sign(commands: Commands) -> None:
    command = _add(commands, "sign", "sign a package for a release", _SIGN, _sign)
    command.add_argument("folder", metavar="DIR", type=Path, help="the package")
    command.add_argument(
        "--release", type=_release, required=True, metavar="R|next", help="a number; next: asks --registry"
    )
    command.add_argument("--registry", metavar="DEST", help="for --release next: where it will be pushed to")
    _add_statement(command)
    _add_logins(command)


def _add_statement(command: Any) -> None:
    said = command.add_argument_group("the release statement")
    said.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key, NAME.key")
    said.add_argument("--passphrase-file", type=Path, metavar="FILE", help="the key's passphrase; default: asks")
    said.add_argument("--line", action="append", default=[], metavar="PATTERN", help="lines it is for (**: all)")
    said.add_argument("--product", action="append", default=[], metavar="P", help="products it is for (all)")
    said.add_argument("--expires", type=_expires, metavar="365d|DATE", help="not installed after this (365d)")
    said.add_argument(
        "--revoke", action="append", default=[], metavar="DIGEST", help="content that is not to be used any more"
    )
    said.add_argument("--notes", default="", metavar="TEXT", help="a line for people")
    said.add_argument("--min-appliance", metavar="VERSION", help="the oldest appliance that can run it")
    said.add_argument("--model", metavar="NAME", help="for folders that `appliance package` did not make")
    said.add_argument("--version", type=_whole, metavar="N", help="likewise")
    said.add_argument("--keep-signature", action="store_true", help="keep the model.sig of the model_signing tool")
    said.add_argument(
        "--signature-key", type=Path, metavar="FILE", help="its public key, where it is another than --key's"
    )
    said.add_argument("--force", action="store_true", help="sign in spite of lint errors")


def _add_push(commands: Commands) -> None:
    command = _add(commands, "push", "send a signed package to where boxes look", _PUSH, _push)
    command.add_argument("folder", metavar="DIR", type=Path, help="the package")
    command.add_argument("where", metavar="DEST", help="oci://host/repository:tag, or a folder")
    command.add_argument("--key", type=Path, metavar="FILE", help="verify its signatures with this NAME.pub first")
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
    _add_sending(command)
    _add_logins(command)


def _add_deploy(commands: Commands) -> None:
    command = _add(commands, "deploy", "lint, sign and push in one go, and follow a box", _DEPLOY, _deploy)
    command.add_argument("folder", metavar="DIR", type=Path, help="the package")
    command.add_argument("where", metavar="DEST", help="oci://host/repository:tag, or a folder")
    command.add_argument("--release", type=_release, default=None, metavar="R|next", help="a number (next)")
    _add_statement(command)
    _add_sending(command)
    _add_logins(command)
    box = command.add_argument_group("the box")
    box.add_argument("--box", metavar="URL", help="ask this box for it, http://HOST:8080, and follow")
    box.add_argument("--token-file", type=Path, metavar="FILE", help="a token of that box")
    box.add_argument("--box-ca", type=Path, metavar="PEM", help="certificates to trust for that box")
    box.add_argument("--follow-s", type=float, default=3600.0, metavar="SECONDS", help="follow so long (3600)")


def _add_sending(command: Any) -> None:
    sending = command.add_argument_group("the registry")
    sending.add_argument("--tag", action="append", default=[], metavar="TAG", help="name it so, too")
    sending.add_argument("--plain-image", action="store_true", help="for registries that refuse ModelPack's types")


def _add_logins(command: Any) -> None:
    logins = command.add_argument_group("logins")
    logins.add_argument(
        "--credentials", type=Path, metavar="FILE", help="as docker's config.json (that of docker login)"
    )
    logins.add_argument("--ca-file", type=Path, metavar="PEM", help="certificates to trust for the registry")
    logins.add_argument("--proxy", metavar="URL", help="a proxy (HTTPS_PROXY, NO_PROXY)")


def _keys_new(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import keys_new

    return keys_new(options)


def _keys_show(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import keys_show

    return keys_show(options)


def _package(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import package

    return package(options)


def _lint(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import lint_package

    return lint_package(options)


def _sign(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import sign_package

    return sign_package(options)


def _push(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import push_package

    return push_package(options)


def _deploy(options: argparse.Namespace) -> int:
    from appliance.publishing.commands import deploy

    return deploy(options)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no file's name: letters, digits and ._- only, at most 64")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _release(text: str) -> int | None:
    """None: the next."""
    if text == "next":
        return None
    number = _whole(text)
    if number == 0:
        raise argparse.ArgumentTypeError("releases count from 1; 0 is what a box came with")
    return number


def _labels(text: str) -> tuple[str, ...]:
    labels = tuple(label.strip() for label in text.split(","))
    if not all(labels) or len(set(labels)) != len(labels):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of labels like good,scratch,dent, each once")
    return labels


def _expires(text: str) -> timedelta | datetime:
    days = re.fullmatch(r"(\d{1,5})d", text)
    if days and int(days[1]):
        return timedelta(days=int(days[1]))
    try:
        date = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither days like 365d nor a date like 2027-06-30") from None
    return date + timedelta(days=1)
