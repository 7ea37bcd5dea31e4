"""Which cameras there are, asked of every driver that can look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
