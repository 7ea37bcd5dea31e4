"""The plug is pulled at any change: what the journal calls done is done, and the story goes on.

A file system in a file; at the n-th change the file is copied. What the kernel had not been told to put on the disk is
not in the copy, just as after a power cut.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from registry.store.changes import Changes
from registry.store.story import lay_factories, tell
from registry.store.sweep import finish, look

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system"),
    pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="mkfs.ext4 is not installed"),
]
IMAGE_BYTES = 16 << 20


@pytest.fixture
def machine(tmp_path):
    """Mounts images; all are let go in the end."""
    mounted = []

    def mount(image, folder):
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"the kernel does not let us mount a file: {done.stderr}")
        mounted.append(folder)
        return folder

    def unmount():
        subprocess.run(["umount", mounted.pop()], check=True)

    mount.undo = unmount
    yield mount
    while mounted:
        unmount()


def in_a_fork(act):
    """Its exit status as Popen has it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tell_until(home: Path, image: Path, pulled: Path, last: int):
    def pull():
        shutil.copyfile(image, pulled)
        os.kill(os.getpid(), signal.SIGKILL)

    changes = Changes()
    changes.arm(last, pull)
    tell(home)


@pytest.mark.parametrize("points", [6, pytest.param(120, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_the_plug_may_be_pulled_at_any_change(tmp_path, machine, points):
    image, pulled = tmp_path / "disk.img", tmp_path / "pulled.img"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    disk = machine(image, tmp_path / "disk")
    for point in range(points):
        last = 5 + point * (370 // points)
        home = disk / f"home{point}"
        home.mkdir()
        lay_factories(home)
        os.sync()
        assert in_a_fork(lambda home=home, last=last: tell_until(home, image, pulled, last)) == -signal.SIGKILL
        again = machine(pulled, tmp_path / "again") / home.name
        look(again)
        finish(again)
        machine.undo()
        shutil.rmtree(home)
