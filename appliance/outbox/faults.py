"""What SQLite and the file system raise, in our words: the one place where it is translated."""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from appliance.outbox.errors import DiskFailed, DiskFull, OutboxDamaged

_DAMAGE_WORDS: Final = ("malformed", "not a database", "no such table", "no such column", "Could not decode")


@contextmanager
def in_our_words(what: str) -> Generator[None]:
    """Turn what SQLite and the file system raise into OutboxError's kinds.

    By text: the numeric code is there only since Python 3.11; the texts are SQLite's own constants.
    """
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "disk is full" in text or getattr(error, "sqlite_errorname", "") == "SQLITE_IOERR_SHMSIZE":
            msg = f"{what} cannot grow: the disk is full; make room on it"
            raise DiskFull(msg) from error
        if isinstance(error, sqlite3.IntegrityError) or any(words in text for words in _DAMAGE_WORDS):
            msg = f"{what} is damaged ({text})"
            raise OutboxDamaged(msg) from error
        msg = f"{what} cannot be used ({text}): look at the disk and at the folder's permissions"
        raise DiskFailed(msg) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            msg = f"{what} cannot grow: the disk is full; make room on it"
            raise DiskFull(msg) from error
        msg = f"{what} cannot be used ({error.strerror}): look at the disk and at the folder's permissions"
        raise DiskFailed(msg) from error
