"""The options of `appliance models`, and what each command is for. Imports nothing heavy: --help answers at once."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from appliance.client.answer import Answer
from appliance.client.endpoints import Endpoints, Tls, endpoints
from appliance.client.errors import WrongUsage

_MODELS: Final = """examples:
  appliance models list                                  every model of this box, its versions and labels
  appliance models status surface                        the states of its versions, and why one failed
  appliance models show surface                          what it takes and gives
  appliance models show /srv/models/surface              the same of a folder, without any server
  appliance models predict surface --image part.jpg
  appliance models reload models.config
  appliance models label surface stable=7 --config models.config

Each command says more with --help. Exit code 0: well; 1: the server or the model said no, or is not there; 2: wrong
usage. Commands that talk to a server take --server HOST:PORT (gRPC) and --rest URL; one of the two at its usual port
(8500, 8501) stands for the other. They speak to any TensorFlow model server.
"""
_LIST: Final = """examples:
  appliance models list
  appliance models list --rest http://line3-box1:8501 --json

It asks the box's own REST call GET /models. tensorflow_model_server has none; there, ask by name: status NAME.
"""
_STATUS: Final = """examples:
  appliance models status                                every version of every model
  appliance models status surface
  appliance models status half_plus_two --server otherbox:9000

States: START (known), LOADING (also between attempts), AVAILABLE (serving), UNLOADING, END (gone, or it failed: the
error says why). How long it has been so is known where the box's REST port answers.
"""
_SHOW: Final = """examples:
  appliance models show surface                          the version that serves
  appliance models show surface --version 6
  appliance models show /srv/models/surface              a folder of versions: the newest
  appliance models show /srv/models/surface/6 --json

A name with a slash in it is a folder. Folders are read as files: no TensorFlow is started, no GPU is touched.
"""
_PREDICT: Final = """examples:
  appliance models predict half_plus_two --input x=1.0,2.0,5.0
  appliance models predict half_plus_two --input 'x=[[1], [2]]' --via rest
  appliance models predict surface --image part.jpg
  appliance models predict surface --input image=@part.npy --label canary --timeout 2
  appliance models predict /srv/models/surface/7 --via process --image part.png

VALUE is numbers or words with commas between (poured into the shape that the model takes), JSON, or @FILE: .npy,
.json, and any file for an input of strings. A picture goes as it is to a model that takes strings, and by --via rest
to the box, which prepares it as the model's inspection.json says; otherwise it is decoded here, and its size has to
fit, or --resize squeezes it. --via process runs what was exported, on the processor, and takes as long as it takes.
"""
_RELOAD: Final = """example:
  appliance models reload /etc/appliance/models.config

FILE is tensorflow_model_server's --model_config_file: a ModelServerConfig in text format. It is checked here first.
What it does not list is unloaded. The command returns when the new models serve, or with the reason why not.
"""
_LABEL: Final = """examples:
  appliance models label surface stable=7 --config models.config
  appliance models label surface stable=7 canary=8 --config models.config
  appliance models label surface --remove canary --config models.config

A server never gives its configuration back, so FILE is what it was given last. The labels are changed in its text,
comments and all else staying; the server takes the whole of it over; and FILE is replaced only where it did. Name the
file that the server starts with, or the labels are gone at its next start.
"""


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def add_models(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models` to the commands of `appliance`."""
    models = commands.add_parser(
        "models", help="look at, ask and change the models of a server", formatter_class=_Raw, epilog=_MODELS
    )
    kinds = models.add_subparsers(metavar="COMMAND", required=True)
    _add(kinds, "list", "every model, its versions and labels", _LIST, _list)
    _add_status(kinds)
    _add_show(kinds)
    _add_predict(kinds)
    _add_reload(kinds)
    _add_label(kinds)


def _add(kinds: Any, name: str, what: str, examples: str, tell: Any, timeout_s: float = 10.0) -> Any:
    command = kinds.add_parser(name, help=what, description=f"{what}.", formatter_class=_Raw, epilog=examples)
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
    server = command.add_argument_group("the server")
    server.add_argument("--server", metavar="HOST:PORT", help="its gRPC port, or unix:PATH (127.0.0.1:8500)")
    server.add_argument("--rest", metavar="URL", help="its REST port (http://127.0.0.1:8501)")
    server.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        default=timeout_s,
        help=f"wait so long for each answer ({timeout_s:g})",
    )
    server.add_argument("--ca", type=Path, metavar="PEM", help="speak TLS by gRPC, and believe these authorities")
    server.add_argument("--cert", type=Path, metavar="PEM", help="our certificate, where the server asks for one")
    server.add_argument("--key", type=Path, metavar="PEM", help="its private key")
    command.set_defaults(command=lambda options: _run(command, tell, options))
    return command


def _add_version(command: Any) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument("--version", type=_version, help="a version's number; default: the latest that serves")
    which.add_argument("--label", help="a version's label, such as stable")


def _add_status(kinds: Any) -> None:
    command = _add(kinds, "status", "the states of a model's versions", _STATUS, _status)
    command.add_argument("name", metavar="NAME", nargs="?", help="the model; left out: all of them")


def _add_show(kinds: Any) -> None:
    command = _add(kinds, "show", "what a model takes and gives", _SHOW, _show)
    command.add_argument("name", metavar="NAME|FOLDER", help="a model of the server, or a folder on this disk")
    _add_version(command)


def _add_predict(kinds: Any) -> None:
    command = _add(kinds, "predict", "ask a model once", _PREDICT, _predict)
    command.add_argument("name", metavar="NAME", help="the model; with --via process its folder")
    command.add_argument("--input", action="append", default=[], type=_named, metavar="NAME=VALUE", help="see below")
    command.add_argument("--image", type=_picture, metavar="[NAME=]FILE", help="a picture for an input")
    command.add_argument("--resize", action="store_true", help="squeeze the picture to the size that the model takes")
    command.add_argument("--signature", default="", metavar="KEY", help="which of its signatures (serving_default)")
    command.add_argument("--via", choices=("grpc", "rest", "process"), default="grpc", help="which way (grpc)")
    _add_version(command)


def _add_reload(kinds: Any) -> None:
    command = _add(kinds, "reload", "give the server another configuration", _RELOAD, _reload, timeout_s=120.0)
    command.add_argument("file", type=Path, metavar="FILE", help="a ModelServerConfig in text format")


def _add_label(kinds: Any) -> None:
    command = _add(kinds, "label", "set or remove labels of a model's versions", _LABEL, _label, timeout_s=120.0)
    command.add_argument("name", metavar="NAME", help="the model")
    command.add_argument("labels", nargs="*", type=_labelled, metavar="LABEL=VERSION", help="set or move a label")
    command.add_argument("--remove", action="append", default=[], metavar="LABEL", help="take a label away")
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="the server's configuration file")


def _run(command: argparse.ArgumentParser, tell: Any, options: argparse.Namespace) -> int:
    try:
        where = endpoints(options.server, options.rest, Tls(options.ca, options.cert, options.key))
        found: Answer = tell(options, where)
    except WrongUsage as error:
        command.error(str(error))
    text = json.dumps(found.data, indent=1, ensure_ascii=False) if options.json else found.text
    sys.stdout.write(text + "\n")
    return 0


def _list(options: argparse.Namespace, where: Endpoints) -> Answer:
    from appliance.client.listing import list_models

    return list_models(where, options.timeout)


def _status(options: argparse.Namespace, where: Endpoints) -> Answer:
    from appliance.client.listing import status

    return status(options.name, where, options.timeout)


def _show(options: argparse.Namespace, where: Endpoints) -> Answer:
    from appliance.client.show import show

    return show(options.name, options.version, options.label, where, options.timeout)


def _predict(options: argparse.Namespace, where: Endpoints) -> Answer:
    from appliance.client.predict import predict
    from appliance.client.question import Question

    question = Question(
        name=options.name,
        signature=options.signature,
        version=options.version,
        label=options.label,
        typed=_once("--input", options.input),
        image=options.image,
        resize=options.resize,
        timeout_s=options.timeout,
    )
    return predict(question, options.via, where)


def _reload(options: argparse.Namespace, where: Endpoints) -> Answer:
    from appliance.client.reload import reload

    return reload(options.file, where, options.timeout)


def _label(options: argparse.Namespace, where: Endpoints) -> Answer:
    from appliance.client.reload import relabel

    if not options.labels and not options.remove:
        raise WrongUsage("say LABEL=VERSION, or --remove LABEL.")
    wanted = _once("label", options.labels)
    return relabel(options.config, options.name, wanted, options.remove, where, options.timeout)


def _once(what: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise WrongUsage(f"{what} names one thing twice.")
    return found


def _named(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, value


def _picture(text: str) -> tuple[str | None, Path]:
    name, sign, file = text.partition("=")
    if not sign or "/" in name or Path(text).is_file():
        return None, Path(text)
    return name, Path(file)


def _labelled(text: str) -> tuple[str, int]:
    label, _, version = text.rpartition("=")
    if not label:
        raise argparse.ArgumentTypeError(f"{text!r} is no LABEL=VERSION")
    return label, _version(version)


def _version(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no version: a whole number, 0 or above")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds
