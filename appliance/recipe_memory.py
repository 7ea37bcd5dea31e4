"""Which recipe each camera was changed over to, kept on disk: a restart goes on with the same product."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """One camera's last changeover."""

    recipe: str
    job_id: str | None
    since_utc_ns: int
    configured: str
    """What the configuration said then: where it says something else now, a person has changed their mind."""


class RecipeMemory:
    """One small file. Used by one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Remembered]:
        """By camera. What cannot be read is said, and forgotten: the configuration's recipes stand then."""
        try:
            raw = self._file.read_bytes()[:_MAX_BYTES]
            return {str(name): Remembered(**one) for name, one in json.loads(raw).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.error(  # noqa: TRY400 - the sentence says it all
                "The recipes that were in force cannot be read from %s (%s); the configuration's are used.",
                self._file,
                error,
            )
            return {}

    def write(self, recipes: Mapping[str, Remembered]) -> None:
        """Whole or not at all, and there after a power cut; a few milliseconds. Raises: OSError."""
        value = {name: asdict(one) for name, one in recipes.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_name(self._file.name + ".new")
        with new.open("wb") as file:
            file.write(json.dumps(value, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
