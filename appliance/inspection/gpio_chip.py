"""GPIO chips and their pins, found by number, path, name or label, as libgpiod's own Python library knows them."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance.inspection.errors import InspectionError

if TYPE_CHECKING:
    import gpiod

INSTALL: Final = "pip install 'inspection-appliance[gpio]'"


class PinError(InspectionError):
    """The pin cannot be read, or not any more; the sentence says why, and what to do. It may come back."""


def library() -> Any:
    """That library. Raises: PinError."""
    try:
        import gpiod
        import gpiod.line
    except ImportError as error:
        raise PinError(
            f"A pin of this box is read by libgpiod's Python library, which is missing: {INSTALL}"
        ) from error
    return gpiod


def open_chip(gpio: Any, wanted: str, label: str | None) -> "gpiod.Chip":
    """By path, name or label. `label`: what it had before; a chip that is plugged in again may have another path.

    Raises: PinError, OSError.
    """
    path = Path(wanted)
    if label is not None:
        found = [chip for chip in _chips(gpio) if chip[2] == label]
        path = next((one[0] for one in found if wanted in (str(one[0]), one[1])), Path(label))
    if not path.is_absolute():
        path = _called(gpio, wanted if label is None else label)
    try:
        chip: gpiod.Chip = gpio.Chip(str(path))
    except PermissionError as error:
        raise PinError(_forbidden(path)) from error
    except FileNotFoundError as error:
        raise PinError(f"There is no GPIO chip {wanted!r}: {_known(wanted, _chips(gpio))}.") from error
    except OSError as error:
        raise PinError(f"{path} is no GPIO chip ({error.strerror}); {_known(wanted, _chips(gpio))}.") from error
    return chip


def _called(gpio: Any, wanted: str) -> Path:
    """The one chip of this name or label."""
    chips = _chips(gpio)
    found = [path for path, name, label in chips if wanted in (name, label)]
    if len(found) > 1:
        paths = ", ".join(str(path) for path in found)
        raise PinError(f"Several GPIO chips are called {wanted!r}: {paths}. Name it by its path.")
    if not found:
        raise PinError(f"There is no GPIO chip {wanted!r}: {_known(wanted, chips)}.")
    return found[0]


def _chips(gpio: Any) -> list[tuple[Path, str, str]]:
    """(path, name, label) of each. Raises: PinError where they may not be opened."""
    paths = {path.resolve() for path in Path("/dev").glob("gpiochip*")}  # links are second names
    return [chip for path in sorted(paths) for chip in _chip_at(gpio, path)]


def _chip_at(gpio: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        with gpio.Chip(str(path)) as chip:
            info = chip.get_info()
            yield path, info.name, info.label
    except PermissionError as error:
        raise PinError(_forbidden(path)) from error
    except OSError:  # unplugged meanwhile
        return


def _known(wanted: str, chips: Iterable[tuple[Path, str, str]]) -> str:
    found = list(chips)
    near = _near(wanted, [one for path, name, label in found for one in (str(path), name, label)])
    said = ", ".join(f"{path} ({label})" for path, _, label in found)
    return f"{near}there are {said}" if said else "there is none here; is its driver loaded, or was it unplugged"


def _forbidden(path: Path) -> str:
    return (
        f"{path} may not be opened: `deploy/install --cameras gpio` gives it to the service (a udev rule for the "
        "group, and the drop-in gpio.conf); a person needs to be in the group that it belongs to."
    )


def offset(gpio: Any, chip: Any, line: int | str) -> int:
    """The pin's number on the chip, by number or name. Raises: PinError."""
    count = chip.get_info().num_lines
    with suppress(OSError, ValueError):
        return int(chip.line_offset_from_id(line))  # of digits, too, where no pin has them for a name
    if isinstance(line, int) or line.isdigit():
        raise PinError(f"{chip.get_info().name} has no pin {line}: its pins are 0 to {count - 1}.")
    for path, name, label in _chips(gpio):
        with gpio.Chip(str(path)) as other, suppress(OSError, ValueError):
            offset = other.line_offset_from_id(line)
            raise PinError(f"The pin {line!r} is not on {chip.get_info().name}, but on {name} ({label}), pin {offset}.")
    names = [name for name in (chip.get_line_info(number).name for number in range(count)) if name]
    near = _near(line, names)
    shown = f"its names are {', '.join(names[:40])}" if names else f"its pins have no names, but numbers to {count - 1}"
    raise PinError(f"{chip.get_info().name} has no pin {line!r}: {near}{shown}.")


def _near(wanted: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(wanted, list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""
