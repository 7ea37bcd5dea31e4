"""Killed at any change it makes to the disk, and again while it recovers: the store is whole, and the story goes on."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from running import REPOSITORY


@pytest.fixture
def memory():
    """A folder where an fsync costs nothing; a process without rights may go into it."""
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def sweep(mode, place):
    """Returns how many changes the story makes."""
    done = subprocess.run(
        [sys.executable, "-m", "registry.store.sweep", mode, str(place)],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return int(done.stdout.split()[0])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_store_killed_at_any_change_recovers_also_when_that_is_killed(memory):
    assert sweep("once", memory) > 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_recovery_killed_at_any_change_ends_as_if_it_was_not(memory):
    assert sweep("twice", memory) > 200
