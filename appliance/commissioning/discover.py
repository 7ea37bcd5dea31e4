"""`appliance camera discover`: a table of what is there, and the section that opens it."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from appliance.commissioning.config_edit import as_toml
from appliance.commissioning.errors import CommissioningError
from camera.discovery import LOOKING, Found, Looked, discover

_COLUMNS: Final = ("driver", "device", "model", "serial", "address")


def discover_cameras(options: Namespace) -> int:
    """Returns the exit code: 0 where one can be used."""
    waiting = set(LOOKING)
    interactive = sys.stderr.isatty()

    def told(looked: Looked) -> None:
        waiting.discard(looked.driver)
        if interactive:
            rest = f"waiting for {', '.join(sorted(waiting))}" if waiting else "done"
            print(f"\r\033[K… {rest}", end="" if waiting else "\r\033[K", file=sys.stderr, flush=True)

    if interactive:
        print(f"… asking {', '.join(sorted(waiting))} for {options.timeout:g} s", end="", file=sys.stderr, flush=True)
    looked = discover(options.timeout, told=told)
    found = [one for each in looked for one in each.found]
    if options.config_for is not None:
        return _print_section(named(found, options.config_for), options.name)
    if options.json:
        print(json.dumps({"cameras": [asdict(one) for one in found], "problems": _problems(looked)}, indent=2))
    else:
        _print_table(found)
        _print_problems(looked)
        if found:
            print(f"\nTo use one:  appliance camera discover --config-for {_shown(found[0])}")
    return 0 if any(one.settings is not None for one in found) else 1


def named(found: Sequence[Found], wanted: str) -> Found:
    """The one whose device, serial number or address this is. Raises: CommissioningError."""
    fitting = [one for one in found if wanted in {one.device, one.serial, one.address}]
    usable = [one for one in fitting if one.settings is not None]
    if usable:
        return usable[0]
    if fitting:
        raise CommissioningError(
            f"{wanted} is there and cannot be used as it is: {fitting[0].note or 'no reason given'}"
        )
    there = ", ".join(_shown(one) for one in found) or "none at all"
    raise CommissioningError(f"No camera is called {wanted!r}; there is {there}. Look with: appliance camera discover")


def section(settings: Mapping[str, Any], name: str) -> str:
    """[cameras.NAME.camera] as TOML, for pasting."""
    return as_toml(("cameras", name, "camera"), _plain(settings)).strip() + "\n"


def _plain(value: Any) -> Any:
    """As TOML has it: no None, no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _print_section(found: Found, name: str) -> int:
    print(f"# {found.model} ({found.serial}){' at ' + found.address if found.address else ''}")
    if found.note:
        print(f"# {found.note}")
    print(section(found.settings or {}, name), end="")
    return 0


def _print_table(found: Sequence[Found]) -> None:
    if not found:
        print("No camera answered.")
        return
    rows = [_COLUMNS, *((one.driver, one.device, one.model, one.serial, one.address) for one in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number and found[number - 1].note:
            print(f"    ! {found[number - 1].note}")


def _print_problems(looked: Sequence[Looked]) -> None:
    for one in looked:
        if one.problem:
            print(f"! {one.driver}: {one.problem}")
    print("Network streams (RTSP, HTTP) do not answer such questions: take the address from the camera's own page.")


def _problems(looked: Sequence[Looked]) -> dict[str, str]:
    return {one.driver: one.problem for one in looked if one.problem}


def _shown(found: Found) -> str:
    return found.device or found.serial or found.address
