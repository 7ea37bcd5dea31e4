"""The options of `appliance camera`, and what each is for. Imports nothing heavy: --help answers at once."""

import argparse
from pathlib import Path
from typing import Any, Final

from appliance.commissioning.learn import add_learn

Commands = Any
"""`argparse._SubParsersAction[argparse.ArgumentParser]`."""

_CAMERA: Final = """examples:
  appliance camera discover                              which cameras there are
  appliance camera discover --config-for 192.0.2.7       what to write into appliance.toml for one of them
  appliance camera check --config /etc/appliance/appliance.toml --camera top
  appliance camera preview --config /etc/appliance/appliance.toml --camera top
  appliance camera preview --demo                        a virtual camera, to see what the page is like
  appliance camera snapshot --config /etc/appliance/appliance.toml --camera top -o part.png

A camera has one owner: stop the line first (systemctl stop appliance). Each command says more with --help.
"""
_DISCOVER: Final = """examples:
  appliance camera discover
  appliance camera discover --timeout 5 --json
  appliance camera discover --config-for 40012345        by its name in the list, serial number or address
  appliance camera discover --config-for /dev/video0 --name side >> appliance.toml

Exit code 0: at least one camera can be used; 1: none, or not the one that --config-for names.
"""
_CHECK: Final = """examples:
  appliance camera check --config /etc/appliance/appliance.toml --camera top
  appliance camera check --config appliance.toml --camera top --set 'settings=[["ExposureTime", 200.0]]'
  appliance camera check --set driver=opencv --set url=rtsp://192.0.2.9/stream --rate 25
  appliance camera check --set driver=aravis --set trigger=free --seconds 60
  appliance camera check --config appliance.toml --speed-mm-s 400 --mm-per-px 0.08
                                                         is the exposure short enough for the belt?

It opens the camera as the line would, takes pictures for --seconds, and says what is wrong and how to repair it.
✓ well, ! worth knowing, ✗ to be repaired. Exit code 0: no ✗; 1: at least one.
"""
_PREVIEW: Final = """examples:
  appliance camera preview --config /etc/appliance/appliance.toml --camera top
  appliance camera preview --demo                        a virtual camera above a virtual belt
  appliance camera preview --set driver=aravis --set trigger=free --host 0.0.0.0
                                                         look from a laptop or a phone beside the lens
  appliance camera preview --set driver=virtual --rate 2 --port 9000

A page with the live picture, the recipe's regions, sharpness ("turn until it stops rising"), histogram, rate and age.
Drag a rectangle on it to get its `roi = [x, y, width, height]` line. There is no login: open it to a plant network
only.
"""
_SNAPSHOT: Final = """examples:
  appliance camera snapshot --config /etc/appliance/appliance.toml --camera top -o part.png
  appliance camera snapshot --config appliance.toml --camera top --count 50 --folder good/
  appliance camera snapshot --set driver=opencv --set url=/dev/video0 -o part.png

PNG, without loss, as the line would see it; beside it PICTURE.json: time, settings, sequence.
"""


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples' lines as they are written."""


def add_camera(commands: Commands) -> None:
    """Add `camera` to the commands of `appliance`."""
    camera = commands.add_parser("camera", help="find, check and set up a camera", formatter_class=_Raw, epilog=_CAMERA)
    kinds = camera.add_subparsers(metavar="COMMAND", required=True)
    _add_discover(kinds)
    _add_check(kinds)
    _add_preview(kinds)
    _add_snapshot(kinds)
    add_learn(kinds)


def _add_discover(kinds: Commands) -> None:
    command = kinds.add_parser("discover", help="which cameras there are", formatter_class=_Raw, epilog=_DISCOVER)
    command.add_argument("--timeout", type=seconds, default=3.0, metavar="S", help="seconds to look (3)")
    command.add_argument(
        "--config-for", metavar="DEVICE", help="print the settings of this one, to be pasted into appliance.toml"
    )
    command.add_argument("--name", default="top", help="what to call it there (top)")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(command=_discover)


def _add_check(kinds: Commands) -> None:
    command = kinds.add_parser("check", help="what is wrong with a camera", formatter_class=_Raw, epilog=_CHECK)
    add_which(command)
    command.add_argument("--seconds", type=seconds, default=10.0, metavar="S", help="how long to take pictures (10)")
    command.add_argument(
        "--rate", type=positive, metavar="HZ", help="pictures a second that are needed (from the file)"
    )
    command.add_argument("--speed-mm-s", type=positive, metavar="V", help="speed of the parts, mm/s (the file's gate)")
    command.add_argument("--mm-per-px", type=positive, metavar="MM", help="millimetres on the part that a pixel shows")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(command=_check)


def _add_preview(kinds: Commands) -> None:
    command = kinds.add_parser(
        "preview", help="live picture, focus and regions, in a browser", formatter_class=_Raw, epilog=_PREVIEW
    )
    add_which(command)
    command.add_argument("--demo", action="store_true", help="the demo's virtual camera")
    command.add_argument("--rate", type=positive, metavar="HZ", help="triggers a second, where this box triggers (10)")
    command.add_argument("--host", default="127.0.0.1", help="IP address to listen on (127.0.0.1: this computer only)")
    command.add_argument("--port", type=int, default=8090, help="port to listen on; 0: any free one (8090)")
    command.set_defaults(command=_preview)


def _add_snapshot(kinds: Commands) -> None:
    command = kinds.add_parser(
        "snapshot", help="pictures to files, without loss", formatter_class=_Raw, epilog=_SNAPSHOT
    )
    add_which(command)
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="the picture (CAMERA-TIME.png)")
    command.add_argument("--count", type=whole, default=1, metavar="N", help="how many (1)")
    command.add_argument("--folder", type=Path, metavar="DIR", help="where they go, each by its time and number (here)")
    command.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="seconds to wait for each (10)")
    command.set_defaults(command=_snapshot)


def add_which(command: Any) -> None:
    """The options that say which camera; appliance.commissioning.choosing reads them."""
    command.add_argument("--config", type=Path, metavar="FILE", help="the operator's TOML file")
    command.add_argument("--camera", metavar="NAME", help="which of its cameras; may be left out where there is one")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the camera, as in [cameras.NAME.camera]; over the file's, or without a file",
    )


def seconds(text: str) -> float:
    """For argparse: 0.1 to 3600."""
    value = _number(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0.1 and 3600 seconds")
    return value


def positive(text: str) -> float:
    """For argparse: above 0, and finite."""
    value = _number(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def whole(text: str) -> int:
    """For argparse: 1 to 100 000."""
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 100000")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _discover(options: argparse.Namespace) -> int:
    from appliance.commissioning.discover import discover_cameras

    return discover_cameras(options)


def _check(options: argparse.Namespace) -> int:
    from appliance.commissioning.check import check_camera

    return check_camera(options)


def _preview(options: argparse.Namespace) -> int:
    from appliance.commissioning.preview import preview

    return preview(options)


def _snapshot(options: argparse.Namespace) -> int:
    from appliance.commissioning.snapshot import snapshot

    return snapshot(options)
