"""Names of files in a package: those that every file system, registry and archive keeps as they are."""

import unicodedata
from collections.abc import Iterable
from typing import Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import PATH_MAX_BYTES

LEVELS_MAX: Final = 16
_LEVEL_MAX_BYTES: Final = 255
_NOT_EVERYWHERE: Final = frozenset('\\:*?"<>|')
"""What Windows and USB sticks (FAT, exFAT) do not take in a name."""


def check_path(path: str) -> None:
    """Return where `path` is relative, stays inside, and can be stored anywhere. Raises: Rejected(PATH)."""
    why = _objection(path)
    if why is not None:
        raise Rejected(Refusal.PATH, f"The package names a file {shown(path)}, which {why}; rename it and sign again.")


def check_paths(paths: Iterable[str]) -> None:
    """The same for all; and no two are one on a file system that is lax about case or Unicode's forms.

    Raises: Rejected(PATH).
    """
    seen: dict[str, str] = {}
    for path in paths:
        check_path(path)
        same = seen.setdefault(_lax(path), path)
        if same is not path:
            raise Rejected(
                Refusal.PATH,
                f"The package names {shown(same)} and {shown(path)}, which some file systems take for one; rename one.",
            )
    for lax, path in seen.items():
        levels = lax.split("/")
        above = next((seen[name] for n in range(1, len(levels)) if (name := "/".join(levels[:n])) in seen), None)
        if above is not None:
            raise Rejected(
                Refusal.PATH, f"The package has {shown(above)} as a file and as a folder (of {shown(path)})."
            )


def shown(path: str) -> str:
    """For a sentence: quoted, control characters escaped, and short."""
    return ascii(path if len(path) <= 100 else path[:97] + "...")


def is_plain_text(text: str) -> bool:
    """No control, format, private or unassigned characters, and no line breaks: safe in a log and on a terminal."""
    return not any(unicodedata.category(char)[0] == "C" or unicodedata.category(char) in {"Zl", "Zp"} for char in text)


def _objection(path: str) -> str | None:
    if not path or path.startswith("/"):
        return "is empty or begins at the root"
    if not is_plain_text(path):
        return "holds characters that cannot be shown"
    if len(path.encode()) > PATH_MAX_BYTES:
        return f"is longer than {PATH_MAX_BYTES} bytes"
    if not _NOT_EVERYWHERE.isdisjoint(path):
        return f"holds one of {' '.join(sorted(_NOT_EVERYWHERE))}"
    levels = path.split("/")
    if len(levels) > LEVELS_MAX:
        return f"lies more than {LEVELS_MAX} folders deep"
    if any(level in {"", ".", ".."} for level in levels):
        return "climbs out of the package, or has an empty level"
    if any(level[-1] in ". " or level[0] == " " or len(level.encode()) > _LEVEL_MAX_BYTES for level in levels):
        return "has a level that begins or ends with a blank, ends with a dot, or is too long"
    return None


def _lax(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
