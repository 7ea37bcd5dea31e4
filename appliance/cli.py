"""The command line: what runs on a box, what looks at one, and what publishers do."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from appliance import __version__, log
from appliance.client.arguments import add_models
from appliance.client.deployments_arguments import add_deployments
from appliance.client.line_arguments import add_recipe, add_trigger
from appliance.commissioning.arguments import add_camera
from appliance.commissioning.calibrate import add_calibrate
from appliance.errors import ApplianceError
from appliance.publishing.arguments import add_publishing
from appliance.results.arguments import add_results
from appliance.serve.arguments import add_serve

_RUN_EXAMPLES = """examples:
  appliance run --config /etc/appliance/appliance.toml
  appliance run --config appliance.toml --parts 100     a hundred parts, then a clean end
"""
_CHECK_EXAMPLES = """examples:
  appliance check --config /etc/appliance/appliance.toml

It opens the camera and takes one picture, loads the newest version of each model, and connects to the broker.
Nothing is inspected or published. Exit code 0: everything is well; 1: something is not, and the sentence says what.
"""
_DEMO_EXAMPLES = """examples:
  appliance demo                                        a virtual line, until Ctrl-C
  appliance demo --parts 500                            500 parts, then a summary
  appliance demo --tour --takt-ms 100                   a model is pushed, proven, served; a bad one is rolled back
  appliance demo --folder pictures/ --model models/surface
                                                        the same line over a folder of pictures
"""
_ASYNCAPI_EXAMPLES = """examples:
  appliance asyncapi --config /etc/appliance/appliance.toml > box.json

The same that a running box serves at /asyncapi.json: its broker, its topics, and what stands in each message.
"""


_GROUPS = (
    ("on a box", ("run", "check", "results", "camera", "demo", "serve", "example-config", "asyncapi")),
    ("steering a box, from anywhere", ("trigger", "recipe", "deployments", "models")),
    ("publishing a model, from anywhere", ("keys", "package", "lint", "sign", "push", "deploy")),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The `appliance` command. Returns the exit code: 0 well, 1 something failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ApplianceError as error:
        print(f"appliance: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Grouped(
        prog="appliance",
        description="A box beside a production line: judges every part in time, tells everyone over MQTT, and swaps "
        "its model while the line runs.",
        epilog="`appliance COMMAND --help` says more about each command, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"appliance {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=argparse.ArgumentParser)
    _add_run(commands)
    _add_check(commands)
    _add_demo(commands)
    add_results(commands)
    add_camera(commands)
    add_trigger(commands)
    add_calibrate(add_recipe(commands))
    add_models(commands)
    add_deployments(commands)
    add_serve(commands)
    add_publishing(commands)
    example = commands.add_parser(
        "example-config", help="print a commented configuration to start from", formatter_class=_Raw
    )
    example.set_defaults(command=_example_config)
    _add_asyncapi(commands)
    return parser


class _Grouped(argparse.ArgumentParser):
    """Its help lists the commands by who uses them."""

    def format_help(self) -> str:
        """Usage, the groups, the options."""
        (commands,) = (one for one in self._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001
        said = {one.dest: one.help for one in commands._choices_actions}  # noqa: SLF001 - argparse tells it nowhere else
        grouped = [name for _, names in _GROUPS for name in names]
        others = ("others", tuple(name for name in said if name not in grouped))
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, [])
        formatter.add_text(self.description)
        for title, names in (*_GROUPS, others):
            formatter.start_section(title)
            formatter.add_arguments([_entry(name, said[name]) for name in names if name in said])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([one for one in self._actions if one is not commands])
        formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()


def _entry(name: str, what: str | None) -> argparse.Action:
    return argparse._StoreAction([], dest=name, help=what, metavar=name)  # noqa: SLF001 - an entry of the help


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser("run", help="inspect, until told to stop", formatter_class=_Raw, epilog=_RUN_EXAMPLES)
    run.add_argument("--config", type=Path, required=True, help="the operator's TOML file")
    run.add_argument("--parts", type=_positive, help="end after so many triggers of the timer")
    run.add_argument("--once", action="store_true", help="end when every camera has shown its last picture")
    run.set_defaults(command=_run)


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser(
        "check",
        help="say whether configuration, camera, model and broker are well",
        formatter_class=_Raw,
        epilog=_CHECK_EXAMPLES,
    )
    check.add_argument("--config", type=Path, required=True, help="the operator's TOML file")
    check.set_defaults(command=_check)


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser(
        "demo", help="run the whole line on embedded defaults", formatter_class=_Raw, epilog=_DEMO_EXAMPLES
    )
    demo.add_argument("--parts", type=_positive, help="end after so many parts; default: until Ctrl-C")
    demo.add_argument("--takt-ms", type=_positive, default=500, help="from part to part, milliseconds (500)")
    demo.add_argument("--seed", type=int, default=2026, help="seed of the virtual parts (2026)")
    demo.add_argument("--folder", type=Path, help="pictures to show instead of virtual parts")
    demo.add_argument("--model", type=Path, help="folder of a SavedModel, or of its numbered versions")
    demo.add_argument("--state", type=Path, default=Path(".demo"), help="folder for its state (.demo)")
    demo.add_argument("--http-port", type=int, help="health on this port of loopback (8080, or any free one)")
    demo.add_argument("--registry", metavar="PLACE", help="where its models come from (a folder in --state)")
    demo.add_argument(
        "--tour", action="store_true", help="push a good model and a bad one, and show what becomes of them"
    )
    demo.add_argument("--broker", choices=["mosquitto", "amqtt"], help="its own broker (mosquitto, if it is installed)")
    demo.set_defaults(command=_demo)


def _add_asyncapi(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    asyncapi = commands.add_parser(
        "asyncapi",
        help="print what the box says and reads over MQTT, as AsyncAPI 3.0",
        formatter_class=_Raw,
        epilog=_ASYNCAPI_EXAMPLES,
    )
    asyncapi.add_argument("--config", type=Path, required=True, help="the operator's TOML file")
    asyncapi.set_defaults(command=_asyncapi)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from appliance.app import App
    from appliance.config import load_config

    config = load_config(options.config)
    log.setup(logging.getLevelName(config.station.log_level.upper()))
    return App(config, options.config.resolve(), parts=options.parts, once=options.once).run()


def _check(options: argparse.Namespace) -> int:
    from appliance.check import check

    return check(options.config)


def _demo(options: argparse.Namespace) -> int:
    from appliance.demo import BrokerKind, Demo, DemoSettings

    settings = DemoSettings(
        state=options.state,
        parts=options.parts,
        takt_ms=options.takt_ms,
        seed=options.seed,
        pictures=options.folder,
        model=options.model,
        http_port=options.http_port,
        registry=options.registry,
        tour=options.tour,
        broker=None if options.broker is None else BrokerKind(options.broker),
    )
    return Demo(settings).run()


def _asyncapi(options: argparse.Namespace) -> int:
    from appliance.box import box_of
    from appliance.config import load_config
    from appliance.messages.documents import encoded

    print(encoded(box_of(load_config(options.config))).decode(), end="")
    return 0


def _example_config(_options: argparse.Namespace) -> int:
    print(resources.files("appliance").joinpath("example.toml").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
