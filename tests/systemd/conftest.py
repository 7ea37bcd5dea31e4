"""The appliance as deploy/install leaves it, in a machine of its own; broker and subscriber are outside."""

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from machine import CHECKOUT, Machine, MachineUnavailable, machine
from running import BASE, DEMO_MODEL, until

UNIT = "appliance.service"
STATE = "/var/lib/appliance"

# What differs from a plant's box, because the program belongs to a checkout: it and its interpreter may lie under
# /home or /root, which the unit closes. And nobody wants to wait half a minute for the watchdog.
FOR_TESTS = """[Service]
ProtectHome=tmpfs
BindReadOnlyPaths={paths}
WatchdogSec=6s
"""

CONFIG = """
[station]
name = "box"
[cameras.top]
recipe = "part"
takt_ms = 100
[cameras.top.camera]
driver = "virtual"
seed = 5
[recipes.part]
model = "surface"
deadline_ms = {deadline_ms}
[models.surface]
base_path = "{model}"
[mqtt]
host = "127.0.0.1"
port = {port}
base_topic = "{base}"
{mqtt}
[http]
port = 0
[serving]
grpc_port = 0
rest_port = 0
"""


@pytest.fixture(scope="session")
def installed() -> Iterator[Machine]:
    """A machine on which deploy/install was run; the service is not started."""
    try:
        with machine() as box:
            box.lend_packages("/opt/appliance/.venv")
            box.run(str(CHECKOUT / "deploy" / "install"), timeout_s=120)
            drop_ins = box.path(f"/etc/systemd/system/{UNIT}.d")
            drop_ins.mkdir(exist_ok=True)
            (drop_ins / "tests.conf").write_text(FOR_TESTS.format(paths=f"{CHECKOUT} {sys.base_prefix}"))
            box.systemctl("daemon-reload")
            yield box
    except MachineUnavailable as reason:
        pytest.skip(str(reason))


class Box:
    """The installed service, as operations sees it."""

    def __init__(self, box: Machine, broker_port: int) -> None:
        self.machine = box
        self._broker_port = broker_port

    def configure(self, *, deadline_ms: int = 90, broker_port: int | None = None, mqtt: str = "") -> None:
        text = CONFIG.format(
            model=DEMO_MODEL, port=broker_port or self._broker_port, base=BASE, deadline_ms=deadline_ms, mqtt=mqtt
        )
        self.machine.path("/etc/appliance/appliance.toml").write_text(text)

    def start(self, timeout_s: float = 90) -> None:
        """Returns when the service has said READY."""
        done = self.machine.run("systemctl", "start", UNIT, check=False, timeout_s=timeout_s)
        assert done.returncode == 0, "\n".join(str(entry["MESSAGE"]) for entry in self.log())

    def stop(self) -> None:
        self.machine.systemctl("stop", UNIT, timeout_s=90)

    def reload(self) -> None:
        self.machine.systemctl("reload", UNIT)

    def show(self, name: str) -> str:
        return self.machine.show(UNIT, name)

    @property
    def is_active(self) -> bool:
        return self.show("ActiveState") == "active"

    @property
    def restarts(self) -> int:
        return int(self.show("NRestarts"))

    @property
    def main_pid(self) -> int:
        return int(self.show("MainPID"))

    def wait_until_back_from(self, pid: int, timeout_s: float) -> None:
        """Until another process than `pid` has said READY."""
        until(lambda: self.main_pid not in (0, pid) and self.is_active, "the service to be back", timeout_s)

    def kill(self, signal: str) -> None:
        """Send a signal to the line's process, and to nothing else."""
        self.machine.systemctl("kill", "--kill-whom=main", f"--signal={signal}", UNIT)

    def processes(self) -> list[int]:
        """Everything that runs in the service's control group, with the numbers that it has outside."""
        group = self.show("ControlGroup")
        if not group:
            return []
        return [int(pid) for pid in self.machine.path(f"/sys/fs/cgroup{group}/cgroup.procs").read_text().split()]

    def log(self) -> list[dict[str, Any]]:
        """What the service and systemd wrote about it in this test."""
        return self.machine.journal("--unit", UNIT)

    def said(self, words: str) -> bool:
        return any(words in str(entry["MESSAGE"]) for entry in self.log())


@pytest.fixture
def fresh_box(installed, broker) -> Iterator[Box]:
    """The service with nothing in its state folder; ended after the test."""
    one = Box(installed, broker.port)
    installed.run("sh", "-c", f"rm -rf {STATE}; journalctl --rotate --vacuum-time=1s")
    one.configure()
    yield one
    installed.run("systemctl", "kill", "--signal=KILL", UNIT, check=False)
    installed.run("systemctl", "stop", UNIT, check=False, timeout_s=90)
    installed.run("systemctl", "reset-failed", UNIT, check=False)


@pytest.fixture
def box(fresh_box, prepared) -> Box:
    """The service, its model already prepared."""
    shutil.copytree(prepared, fresh_box.machine.path(STATE) / "prepared")
    return fresh_box
