"""A release that lies in the store, whole."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Held:
    """One release on this box' disk. Its folder may go only by `collect` and `remove`."""

    release: int
    """0: the factory model, where it has no signed statement."""
    version: int
    """The servable's, as requests and results name it."""
    digest: str
    """`sha256:...` of its content, as in its statement."""
    folder: Path
    """The SavedModel, with all that travels with it. Read only."""
    is_factory: bool
    bytes: int
    """Of all its files."""
