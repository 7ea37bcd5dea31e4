"""Takes from the calling process what a model never needs: networks, others' processes, writing elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sealed:
    """What holds from now on."""

    in_force: tuple[str, ...]
    """Sentences."""
    missing: tuple[str, ...]
    """What this kernel, or this machine, cannot do; sentences. The process goes on without."""


def seal(writable: Sequence[Path], *, devices: Sequence[Path] = (), file_max_bytes: int = 4 << 30) -> Sealed:
    """Seal the calling process and whatever it starts, for ever. Some milliseconds; before other threads start.

    `writable`: folders that exist, and beneath which files may be made and changed; `devices`: device files that may
    be used (a GPU's). Reading stays as it was. Raises: RuntimeError where the process has more than one thread.
    """
    raise NotImplementedError
