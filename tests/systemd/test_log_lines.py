"""Which form a log line takes: on a terminal, and on the stderr that systemd connected to the journal."""

import os
import re
import subprocess
import sys

import pytest

LOG = """
import logging
from appliance import log
log.setup()
station = logging.getLogger("station")
station.info("started")
station.warning("overlapped trigger", extra={"CAMERA": "top", "TRIGGER_ID": 7})
station.debug("not shown")
try:
    1 / 0
except ZeroDivisionError:
    station.exception("a bug")
"""

WITHOUT_SYSTEMD_PYTHON = "import sys; sys.modules['systemd.journal'] = None\n"


def stderr_of(program: str, *, is_journal: bool) -> list[str]:
    """The lines that a process writes on a stderr which systemd did, or did not, connect to the journal."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines:
        inode = os.fstat(writing)
        environment = {
            **os.environ,
            "JOURNAL_STREAM": f"{inode.st_dev}:{inode.st_ino}" if is_journal else "8:1",
        }
        subprocess.run([sys.executable, "-c", program], stderr=writing, env=environment, check=True, timeout=30)
        os.close(writing)
        return lines.read().splitlines()


def test_people_read_the_time_in_utc_and_the_fields_after_the_message():
    lines = stderr_of(LOG, is_journal=False)
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(time + " INFO station: started", lines[0])
    assert re.fullmatch(time + " WARNING station: overlapped trigger CAMERA=top TRIGGER_ID=7", lines[1])
    assert re.fullmatch(time + " ERROR station: a bug", lines[2])
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_the_journal_reads_a_priority_before_every_line():
    lines = stderr_of(WITHOUT_SYSTEMD_PYTHON + LOG, is_journal=True)
    assert lines[:3] == [
        "<6>station: started",
        "<4>station: overlapped trigger CAMERA=top TRIGGER_ID=7",
        "<3>station: a bug",
    ]
    assert lines[-1] == "<3>ZeroDivisionError: division by zero"
    assert all(line.startswith("<3>") for line in lines[2:])


def test_a_block_gives_its_fields_to_every_line_in_it():
    program = """
from appliance import log
log.setup()
import logging
with log.fields(CAMERA="top", MODEL="surface"):
    logging.warning("lost")
    with log.fields(MODEL="housing"):
        logging.warning("not ready", extra={"CAMERA": "side"})
logging.warning("over")
"""
    lines = stderr_of(WITHOUT_SYSTEMD_PYTHON + program, is_journal=True)
    assert lines == [
        "<4>root: lost CAMERA=top MODEL=surface",
        "<4>root: not ready CAMERA=side MODEL=housing",
        "<4>root: over",
    ]


def test_a_warning_of_a_library_is_a_log_line_too():
    program = "import warnings\nfrom appliance import log\nlog.setup()\nwarnings.warn('old', stacklevel=1)\n"
    lines = stderr_of(WITHOUT_SYSTEMD_PYTHON + program, is_journal=True)
    assert lines[0].startswith("<4>py.warnings: ")


def test_with_systemd_python_the_journal_gets_nothing_through_stderr():
    pytest.importorskip("systemd.journal", reason="systemd-python is not installed")
    assert stderr_of(LOG, is_journal=True) == []
