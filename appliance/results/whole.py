"""A file that is there whole or not at all, also after a power cut."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.results.errors import ResultsError


@contextmanager
def whole_file(path: Path, *, replaces: bool) -> Iterator[BinaryIO]:
    """Written beside `path` under another name, which it gets at the end; on any error there is nothing.

    Raises: ResultsError where it cannot be written, or is there and `replaces` does not say that it may go.
    """
    if path.exists() and not path.is_file():
        raise ResultsError(f"{path} is no file that could be written: name one.")
    if path.exists() and not replaces:
        raise ResultsError(f"{path} is there already: name another file, or say --force.")
    staging = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with staging.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise ResultsError(f"{path} cannot be written ({error.strerror}): nothing is there.") from error
    finally:
        staging.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
