"""Killed at any change to its disk, and again while it recovers, a delivery ends as if it had not been."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.fixture
def memory():
    """A folder where an fsync costs nothing; a process without rights may go into it."""
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def sweep(place: Path, first: int, step: int, timeout_s: int) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-m", "delivery.killing", str(place), str(first), str(step)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=TESTS,
        env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    changes, killed = done.stdout.split()
    return int(changes), int(killed)


def test_a_delivery_that_is_killed_goes_on_and_ends_as_it_would_have(memory):
    changes, killed = sweep(memory, 17, 37, 110)
    assert changes > 200
    assert killed > 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_delivery_that_is_killed_at_any_change_goes_on(memory):
    changes, killed = sweep(memory, 1, 1, 3500)
    assert killed >= changes * 0.9
