"""Which files of an outbox's folder are which."""

from pathlib import Path


def current(folder: Path) -> Path | None:
    """The file in use; None where there is none yet. Raises OSError."""
    return max(folder.glob("results-*.db"), key=generation, default=None)


def damaged_files(folder: Path) -> list[Path]:
    """Those set aside and not yet removed by a person, oldest first."""
    return sorted(folder.glob("damaged-*.db"), key=generation)


def generation(path: Path) -> int:
    """The number in its name."""
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0
