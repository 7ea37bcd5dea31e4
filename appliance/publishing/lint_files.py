"""Files that do not belong into a package, or that boxes refuse."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.publishing.findings import Finding, error, warning
from appliance.publishing.progress import in_bytes
from appliance.registry.errors import Rejected
from appliance.registry.package.inventory import list_folder

CARD: Final = Path("assets.extra") / "README.md"
_ODD_FOLDERS: Final = frozenset(
    {".git", ".svn", ".hg", "__pycache__", ".ipynb_checkpoints", ".idea", ".vscode", "__MACOSX"}
)
_ODD_NAMES: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".gitignore", ".gitattributes", "nohup.out"})
_ODD_ENDINGS: Final = ("~", ".swp", ".swo", ".bak", ".orig", ".tmp", ".pyc", ".part", ".log")
_HUGE_BYTES: Final = 2_000_000_000
_HUGE_BESIDE_BYTES: Final = 20_000_000
"""For what is not the model itself: a data set that slipped in."""


def look_at_files(folder: Path) -> Iterator[Finding]:
    """Names, kinds and sizes; nothing is opened."""
    try:
        sizes = list_folder(folder)
    except Rejected as refusal:
        yield error(refusal.reason.value, folder.name, str(refusal).rstrip("."), "Boxes refuse it: remove or rename it")
    else:
        yield from _sizes(sizes)
        if str(CARD) not in sizes:
            yield warning(
                "no_card",
                str(CARD),
                "there is no model card",
                "Write what the model is for, what it was trained on and what it cannot do, and give it with --card",
            )
    yield from _odd(folder)


def _odd(folder: Path) -> Iterator[Finding]:
    for place, folders, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        odd = [name for name in folders if name in _ODD_FOLDERS]
        folders[:] = [name for name in folders if name not in _ODD_FOLDERS]
        odd += [name for name in names if name in _ODD_NAMES or name.endswith(_ODD_ENDINGS)]
        for name in sorted(odd):
            yield error(
                "odd_file",
                str(inside / name),
                "it is no part of a model, and would travel to every box",
                "Remove it, and sign again",
            )


def _sizes(sizes: dict[str, int]) -> Iterator[Finding]:
    for name, size in sizes.items():
        beside = not name.startswith("variables/") and name != "saved_model.pb"
        if size > _HUGE_BYTES or (beside and size > _HUGE_BESIDE_BYTES):
            yield warning(
                "huge_file",
                name,
                f"it has {in_bytes(size)}",
                "Each box downloads it, and keeps it several times; see whether it has to be there",
            )
        if not size and name.startswith("variables/"):
            yield error(
                "empty_file", name, "it is empty: the copy or the export was cut short", "Export the model again"
            )
