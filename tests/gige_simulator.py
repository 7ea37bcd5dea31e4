"""Debian's GigE Vision simulator (aravis-tools) on a loopback of the test's own: real packets, no camera.

Only one simulator can listen at an address, so each test gets a network of its own where it may make one (root), in
which nobody else's simulator is. Without that right they share this computer's loopback, one at a time.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running import until

PROGRAM = "arv-fake-gv-camera-0.8"
_CONTROL_PORT = 3956  # GVCP
_NEW_NETWORK = 0x4000_0000  # CLONE_NEWNET


class GigeSimulator:
    """One camera at one loopback address; its id is Aravis-Fake-<serial>.

    Start it on the thread (or on one that it started) that is in the network where it is to be.
    """

    def __init__(self, serial: str = "GV01", address: str = "127.0.0.1", *, lost_per_thousand: int = 0) -> None:
        self.serial, self.address = serial, address
        self._lost = lost_per_thousand
        self._process: subprocess.Popen | None = None

    @property
    def device(self) -> str:
        return f"Aravis-Fake-{self.serial}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "GigeSimulator":
        """Returns when it listens."""
        lost = ["-r", str(self._lost)] if self._lost else []
        command = [PROGRAM, "-i", self.address, "-s", self.serial, *lost]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens, f"{PROGRAM} to listen at {self.address}", 10)
        return self

    def kill(self) -> None:
        """As if its cable were pulled: it says nothing any more, and not that it goes."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """It keeps its address and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{PROGRAM} ended; does another one listen at {self.address}?"
        number = int.from_bytes(bytes(int(part) for part in self.address.split(".")), "little")
        sockets = Path(f"/proc/{self._process.pid}/net/udp").read_text()
        return f"{number:08X}:{_CONTROL_PORT:04X}" in sockets


@contextmanager
def own_network(addresses: int = 1) -> Iterator[bool]:
    """This thread, and every thread and process that it starts, in a network with 127.0.0.1, .2, ... and nothing else.

    Gives False, and changes nothing, where that is not allowed (it takes root).
    """
    if os.geteuid() != 0:
        yield False
        return
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(_NEW_NETWORK) != 0:
            yield False
            return
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for last in range(2, addresses + 1):
                subprocess.run(["ip", "address", "add", f"127.0.0.{last}/8", "dev", "lo"], check=True)
            yield True
        finally:
            assert libc.setns(before, _NEW_NETWORK) == 0, "this thread cannot go back to its network"
    finally:
        os.close(before)


@contextmanager
def gige_cameras(count: int = 1, *, lost_per_thousand: int = 0) -> Iterator[list[GigeSimulator]]:
    """So many simulators that listen, at 127.0.0.1, 127.0.0.2 ..., and none of them left afterwards.

    Skips the test, and says so, where the simulator is not installed or several cannot have a network.
    """
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"not verified: GigE Vision; {PROGRAM} is not installed (apt install aravis-tools)")
    with own_network(count) as is_alone:
        if count > 1 and not is_alone:
            pytest.skip("not verified: several GigE Vision cameras; they need a network of their own (root)")
        made = [
            GigeSimulator(f"GV{number:02}", f"127.0.0.{number}", lost_per_thousand=lost_per_thousand)
            for number in range(1, count + 1)
        ]
        try:
            for simulator in made:
                simulator.start()
            yield made
        finally:
            for simulator in made:
                simulator.kill()


@pytest.fixture
def gige_camera() -> Iterator[GigeSimulator]:
    """One simulator that listens at 127.0.0.1."""
    with gige_cameras() as cameras:
        yield cameras[0]
