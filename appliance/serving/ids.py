"""What a servable is called."""

from dataclasses import dataclass
from typing import Final

VERSION_MAX: Final = 2**63 - 1
"""Versions are TensorFlow Serving's: int64, and not negative. Zero is a version."""


@dataclass(frozen=True, slots=True, order=True)
class ServableId:
    """One version of one servable; ids of one name are ordered by their version number.

    Raises RuntimeError for a name or number that no servable can have: whoever reads one from outside checks first.
    """

    name: str
    version: int

    def __post_init__(self) -> None:
        if not self.name:
            raise RuntimeError("a servable has a name")
        if not 0 <= self.version <= VERSION_MAX:
            raise RuntimeError(f"version {self.version} of {self.name} is not in 0..{VERSION_MAX}")

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"
