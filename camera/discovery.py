"""Which cameras there are, asked of every driver that can look.

Each driver looks in a process of its own: a vendor's library that hangs, crashes or is not installed is one sentence.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Found:
    """One camera that answered."""

    driver: str
    device: str
    """What to write as `device` (or `url`) in the configuration."""
    model: str
    serial: str
    address: str = ""
    """IP address, USB port or device file."""
    settings: Mapping[str, Any] | None = None
    """The [cameras.NAME.camera] section that opens it; None where it cannot be opened as it is."""
    note: str = ""
    """One sentence on what keeps it from being used: another program has it, it is in another network."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one driver found, or why it could not look."""

    driver: str
    found: tuple[Found, ...] = ()
    problem: str = ""
    """One sentence: what is not installed, and how to install it."""


LOOKING: Final[dict[str, str]] = {
    "aravis": "camera.drivers.aravis.discovering",
    "pylon": "camera.drivers.pylon.discovering",
    "opencv": "camera.drivers.opencv.discovering",
}
"""driver name -> the module whose discover(timeout_s) -> Looked asks for its cameras; pipelines have none."""

_START_S: Final = 10.0
"""What a driver may take to come up, on top of the time that it was given to look."""
_SAID_MAX: Final = 300


def discover(
    timeout_s: float = 3.0,
    drivers: Mapping[str, str] = LOOKING,
    told: Callable[[Looked], object] = lambda _: None,
) -> list[Looked]:
    """Ask every driver at once; each looks for `timeout_s` seconds. In the order of `drivers`; `told` as each answers.

    Cost: a process for each driver, about a second in all on top of `timeout_s`, at most 10 seconds for one that hangs.
    Raises: OSError where no process can be started.
    """
    children = {driver: _child(driver, module, timeout_s) for driver, module in drivers.items()}
    looked = {}
    try:
        with ThreadPoolExecutor(len(children) or 1, thread_name_prefix="looking") as waiting:
            for answered in as_completed(
                [waiting.submit(_answer, driver, child, timeout_s) for driver, child in children.items()]
            ):
                one = answered.result()
                looked[one.driver] = one
                told(one)
    finally:
        for child in children.values():
            child.kill()  # nothing, where it has ended
    return [looked[driver] for driver in children]


def _child(driver: str, module: str, timeout_s: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "camera.discovery", driver, module, str(timeout_s)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _answer(driver: str, child: "subprocess.Popen[bytes]", timeout_s: float) -> Looked:
    try:
        out, said = child.communicate(timeout=timeout_s + _START_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return Looked(
            driver, problem=f"driver {driver} was given {timeout_s:g} s to look, did not come back, and was ended"
        )
    try:
        return _from_json(json.loads(out))
    except (ValueError, KeyError, TypeError):
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        why = f": {last[0][:_SAID_MAX]}" if last else ""
        return Looked(driver, problem=f"driver {driver} crashed while it looked ({how}){why}")


def _from_json(value: dict[str, Any]) -> Looked:
    return Looked(value["driver"], tuple(Found(**one) for one in value["found"]), value["problem"])


def look(driver: str, module: str, timeout_s: float) -> Looked:
    """What one driver sees, in this process. Raises whatever a broken library raises, but for one that is missing."""
    try:
        looking = importlib.import_module(module)
    except ImportError as error:
        return Looked(driver, problem=f"driver {driver} cannot look: {error}")
    looked: Looked = looking.discover(timeout_s)
    return looked


def main() -> None:
    """The child: DRIVER MODULE SECONDS. What a library prints goes to stderr; stdout holds the answer alone."""
    driver, module, timeout_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
    answer = os.dup(1)
    os.dup2(2, 1)
    looked = look(driver, module, timeout_s)
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(asdict(looked), out)
    sys.stdout.flush()
    os._exit(0)  # a library's own threads do not keep us


if __name__ == "__main__":
    main()
