"""A guided tour of model delivery: the demo plays the data scientist, with the same commands that one would type."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.demo.show import Show, shown

_FIRST_PARTS: Final = 10
_LAST_PARTS: Final = 10
_TIGHT: Final = 0.92
"""Above what many good parts of the virtual line score: a model that rejects a third of them."""
_ENDS: Final = frozenset({"success", "already_installed", "rejected", "failed", "rolled_back", "rollback_failed"})


class Tour:
    """Pushes a good model and then one that disappoints, and tells what the box makes of them. One thread calls."""

    def __init__(self, state: Path, model: Path, destination: str, show: Show) -> None:
        """`state`: the demo's folder; `model`: what serves at first; `destination`: where the box looks."""
        self._state = state
        self._model = model
        self._destination = destination
        self._show = show
        self._parts = 0
        self._told: Mapping[str, Any] = {}
        self._shown: tuple[Any, ...] = ()
        self._command: subprocess.Popen[str] | None = None
        self._story = self._tell()

    def step(self, parts: int, told: Mapping[str, Any] | None) -> bool:
        """Often. `parts` so far; `told`: the newest of what the box says of its deployment. False: the tour is over."""
        self._parts = parts
        if told is not None:
            self._told = told
            self._show_way(told)
        return next(self._story, None) is not None

    def end(self) -> None:
        """Nothing that it started goes on."""
        if self._command is not None and self._command.poll() is None:
            self._command.terminate()
            self._command.wait(10)

    def _tell(self) -> Iterator[bool]:
        yield from self._wait_parts(_FIRST_PARTS)
        self._say("A data scientist has trained version 2. One command lints, signs and publishes it:")
        yield from self._deploy(2, {})
        yield from self._wait_end(1)
        yield from self._wait_parts(self._parts + _LAST_PARTS)
        self._say("Version 3 follows; its limits are too tight, and a third of the good parts would be rejected:")
        yield from self._deploy(3, {"good_min": _TIGHT})
        yield from self._wait_end(2)
        yield from self._wait_parts(self._parts + _LAST_PARTS)
        late = self._show.missed
        said = "No part was late for any of it" if not late else f"{late} parts were late, which should not be"
        self._say(f"That was the tour. {said}; version 2 serves.")

    def _deploy(self, version: int, limits: Mapping[str, float]) -> Iterator[bool]:
        package = self._trained(version, limits)
        key = self._state / "keys" / "demo.key"
        command = ["appliance", "deploy", shown(package), shown(self._destination), "--key", shown(key)]
        command += ["--model", "demo", "--version", str(version), "--line", "demo/site/area/line"]
        self._show.say(f"        $ {shlex.join(command)}")
        self._command = subprocess.Popen(
            [sys.executable, "-m", "appliance.cli", *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while self._command.poll() is None:
            yield True
        said, _ = self._command.communicate()
        for line in said.partition("\n\n")[0].splitlines():  # then follows what a box' settings need: they are there
            self._show.say(f"        {line}")

    def _trained(self, version: int, limits: Mapping[str, float]) -> Path:
        """The same network; what is another is its limits and its card."""
        place = self._state / "trained" / str(version)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self._model, place)
        inspection = place / "assets.extra" / "inspection.json"
        told = json.loads(inspection.read_text(encoding="utf-8"))
        told["limits"].update(limits)
        told["card"] = {**told.get("card", {}), "note": f"version {version} of the tour"}
        inspection.write_text(json.dumps(told, indent=1), encoding="utf-8")
        return place

    def _wait_parts(self, parts: int) -> Iterator[bool]:
        while self._parts < parts:
            yield True

    def _wait_end(self, release: int) -> Iterator[bool]:
        while self._told.get("release") != release or self._told.get("state") not in _ENDS:
            yield True

    def _show_way(self, told: Mapping[str, Any]) -> None:
        """A line for each state that it comes to."""
        now = (told.get("id"), told.get("state"), told.get("waiting_for"))
        if told.get("id") is None or now == self._shown:
            return
        self._shown = now
        named = "" if told.get("release") is None else f"release {told['release']} (version {told['version']}): "
        reason = "" if told.get("detail") is None else f" - {told['detail']}"
        self._say(f"{named}{str(told['state']).replace('_', ' ')}{reason}")

    def _say(self, text: str) -> None:
        self._show.say(f"   ▸    {text}")


def publisher_files(state: Path) -> Sequence[Path]:
    """What a tour begins anew: the store's, the registry's and its own."""
    return [state / "state" / "models", state / "registry", state / "trained"]
