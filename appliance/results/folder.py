"""The outbox folder that a person means, and whether it can be read where it is."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.outbox.files import current
from appliance.results.errors import ResultsError


def of_config(config: Path) -> Path:
    """Of the box with this operator's file. Raises: ConfigError, ResultsError."""
    from appliance.config import load_config  # half a second that a copied folder does not need

    folder = load_config(config).outbox_folder
    _require(folder, f"{folder}, the outbox of {config}")
    return folder


def of_copy(folder: Path) -> Path:
    """A folder named by a person. Raises: ResultsError."""
    _require(folder, str(folder))
    return folder


@contextmanager
def readable(folder: Path) -> Iterator[Path]:
    """The folder itself; or a copy in the temporary folder where SQLite could not read it in place, as on a medium
    that is read-only.

    SQLite needs its -shm file to read a log. There is one while a writer runs; else it has to be made beside it.
    Raises: ResultsError.
    """
    path = current(folder)
    if path is None or os.access(folder, os.W_OK) or path.with_name(f"{path.name}-shm").exists():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="appliance-results-") as copy:
        try:
            for each in folder.iterdir():
                if each.name.startswith(path.name) or each.suffix == ".json":
                    shutil.copy(each, copy)
        except OSError as error:
            raise ResultsError(
                f"{folder} is read-only, and a copy of it cannot be made in {copy} ({error.strerror}): set TMPDIR to "
                "a folder with room, or copy it by hand."
            ) from error
        yield Path(copy)


def _require(folder: Path, name: str) -> None:
    try:
        is_there = folder.is_dir()
        found = current(folder) if is_there else None
        if is_there:
            list(folder.iterdir())  # glob() says nothing of a folder that may not be read
    except PermissionError as error:
        raise _not_allowed(name) from error
    except OSError as error:
        raise ResultsError(f"{name}, cannot be read ({error.strerror}).") from error
    if not is_there:
        raise ResultsError(f"There is no folder {name}: it is made when the line runs for the first time.")
    if found is None:
        raise ResultsError(f"There is no results-N.db in {name}: is it an outbox folder, and did the line run?")
    if not os.access(found, os.R_OK):
        raise _not_allowed(name)


def _not_allowed(name: str) -> ResultsError:
    return ResultsError(f"You may not read {name}: run it as root, or as a member of the appliance's group.")
