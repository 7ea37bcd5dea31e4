"""What an examiner is started for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Task:
    """One candidate's examination; the numbers are descriptors."""

    config: Path
    """The operator's file."""
    model: str
    folder: Path
    """The version's; relative to the model's store."""
    digest: str
    link: int
    frames: tuple[int, int] | None
    """Memory, socket: see `appliance.shadowing`."""
    patience_s: float
    """A process that runs the candidate and is silent for so long hangs."""
