"""The plug is pulled: what was said to be on the disk is on it. With synchronous=NORMAL this test fails.

A file system in a file is mounted; the line writes on it and is stopped; then the file is copied. What the kernel had
not been told to put on the disk is not in the copy, just as after a power cut.
"""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from outbox.line import Line
from running import until

from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.opening import damaged_files, open_database
from appliance.outbox.reader import Reader

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system"),
    pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="mkfs.ext4 is not installed"),
]


@pytest.fixture
def disk(tmp_path):
    """A mounted file system, and how to see it as it is after the plug was pulled."""
    one = Disk(tmp_path)
    one.mount(one.image, one.folder)
    yield one
    one.unmount()


class Disk:
    def __init__(self, home):
        self.home = home
        self.image = home / "disk.img"
        self.folder = home / "disk"
        self._mounted = []
        with self.image.open("wb") as file:
            file.truncate(64 * 1024**2)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)

    def mount(self, image, folder):
        folder.mkdir(exist_ok=True)
        try:
            subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"the kernel does not let us mount a file: {error.stderr}")
        self._mounted.append(folder)

    def pull_the_plug(self):
        """The folder as the next start finds it."""
        copy, folder = self.home / "pulled.img", self.home / "pulled"
        shutil.copy(self.image, copy)
        self.mount(copy, folder)
        return folder

    def unmount(self):
        while self._mounted:
            subprocess.run(["umount", str(self._mounted.pop())], check=True)


@pytest.mark.parametrize("life", range(3))
def test_what_was_recorded_survives_a_power_cut(disk, life):
    line = Line(disk.folder / "outbox")
    line.start(rate=300)
    until(lambda: len(line.recorded) > 50, "results")
    time.sleep(random.uniform(0, 1))  # the moment of the cut is what is random here
    line.signal(signal.SIGSTOP)
    recorded = list(line.recorded)  # and perhaps more, which is still in the pipe
    pulled = disk.pull_the_plug() / "outbox"
    line.signal(signal.SIGCONT)
    line.kill()
    database = open_database(pulled, Limits(64 * 1024**2, drop_oldest=False))
    reader = Reader(pulled)
    rows = {row.row: row.payload for row in reader.after(0, 1_000_000)}
    reader.close()
    database.close()
    assert damaged_files(pulled) == []
    lost = [row for row, *_, payload in recorded if rows.get(row) != payload]
    assert lost == [], f"of {len(recorded)}"
