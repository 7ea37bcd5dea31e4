"""Where log lines go, and in which form.

An upper-case key of `extra` is a journal field: `log.warning("lost", extra={"CAMERA": "top"})` is found by
`journalctl -u appliance CAMERA=top`. `fields` gives them to every line of a block, such as a thread's whole life.
Where there are no fields (a terminal, a file) they follow the message.

Threads: any may log. A busy journal holds about 500 lines before it makes the writer wait; so no part of an
undisturbed line logs anything at INFO or above.
"""

import io
import logging
import os
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO

_IDENTIFIER: Final = "appliance"

_PRIORITY: Final[Mapping[int, int]] = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
"""Python's level -> syslog's, as sd-daemon(3) reads it in front of a line."""

_context: ContextVar[Mapping[str, object]] = ContextVar("journal fields", default={})  # noqa: B039 - never changed


def setup(level: int = logging.INFO) -> None:
    """Send everything from `level` up to one place; called once, first thing in each process.

    Under systemd: the journal, with fields where systemd-python is installed. Otherwise: stderr, for people.
    """
    handler = _handler(sys.stderr)
    handler.addFilter(_add_context)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


@contextmanager
def fields(**more: object) -> Generator[None]:
    """Give every line that this thread logs in the block these fields, as in `with log.fields(CAMERA="top"):`."""
    token = _context.set({**_context.get(), **more})
    try:
        yield
    finally:
        _context.reset(token)


class HumanFormatter(logging.Formatter):
    """`2026-11-20T20:31:04.120Z WARNING station: overlapped trigger CAMERA=top TRIGGER_ID=7`."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The first line, with the record's journal fields at its end."""
        return super().formatMessage(record) + _fields_as_text(record)


class PriorityFormatter(logging.Formatter):
    """`<4>station: overlapped trigger CAMERA=top`: the journal adds time, unit and process by itself."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The first line, with the record's journal fields at its end."""
        return super().formatMessage(record) + _fields_as_text(record)

    def format(self, record: logging.LogRecord) -> str:
        """Every line of it with the priority: the journal takes each as an entry of its own."""
        prefix = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def _handler(stderr: TextIO) -> logging.Handler:
    if not _is_journal(stderr):
        handler: logging.Handler = logging.StreamHandler(stderr)
        handler.setFormatter(HumanFormatter())
        return handler
    try:
        from systemd.journal import JournalHandler
    except ImportError:
        handler = logging.StreamHandler(stderr)
        handler.setFormatter(PriorityFormatter())
        return handler
    handler = JournalHandler(SYSLOG_IDENTIFIER=_IDENTIFIER)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def _add_context(record: logging.LogRecord) -> bool:
    for key, value in _context.get().items():
        vars(record).setdefault(key, value)  # what the line itself says stands
    return True


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd connected this stream to the journal; systemd.exec(5) says how to know."""
    try:
        connected = os.fstat(stream.fileno())
    except (OSError, io.UnsupportedOperation):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{connected.st_dev}:{connected.st_ino}"


def _fields_as_text(record: logging.LogRecord) -> str:
    return "".join(f" {key}={value}" for key, value in vars(record).items() if key.isupper())
