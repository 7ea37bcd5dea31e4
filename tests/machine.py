"""A machine for one test: the system's own systemd as process 1 of private namespaces, over a throw-away root.

Needs root and a kernel that permits the mounts; Machine.start() says why where it cannot be had. The network is
the host's, so a broker on loopback outside is reached from inside.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent

HOSTS_OWN = Path("/proc/sys/net/core/rmem_max")

WITH_PRIVATE_MOUNTS = (
    *("unshare", "--mount", "--propagation", "unchanged", "sh", "-c"),
    # In a chroot `/` is no mount and cannot be made private; nothing leaks where nothing is shared.
    '{ mount --make-rprivate / 2>/dev/null || ! grep -q " shared:" /proc/self/mountinfo; } && exec "$@"',
    "_",
)
"""In front of a command: what it mounts is seen by nobody else and goes with it."""

BOOT = r"""
set -eu
work=$1 name=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/overlay" "$work/root" "$work/groups"

# A control group of its own: systemd needs one that no other process is in.
mount -t cgroup2 cgroup2 "$work/groups"
mkdir "$work/groups/$name"
echo $$ >"$work/groups/$name/cgroup.procs"
umount "$work/groups"

mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/overlay" "$work/root"
cd "$work/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --rbind /dev dev
for shown; do # the checkout and the interpreter, where they lie on another file system or under a closed folder
  mkdir -p ".$shown"
  mount --bind "$shown" ".$shown"
  mount -o remount,bind,ro ".$shown"
done

units=etc/systemd/system
for masked in systemd-sysctl systemd-modules-load systemd-binfmt systemd-udevd systemd-udev-trigger \
  systemd-remount-fs systemd-timesyncd systemd-networkd systemd-resolved systemd-firstboot apparmor; do
  ln -sf /dev/null "$units/$masked.service"
done
ln -sf /dev/null "$units/proc-sys-fs-binfmt_misc.automount"
: >etc/fstab
echo "$name" | sed 's/.*-//' >etc/machine-id
rm -rf var/log/journal && mkdir -p var/log/journal

exec unshare --pid --fork --kill-child --uts --ipc --cgroup sh -c '
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t proc proc proc
  mount --make-rshared . # outside a container systemd does it itself; credentials are mounted by this way
  exec chroot . env -i container=sandbox PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target --log-target=journal'
"""


class MachineUnavailable(Exception):
    """This computer cannot start one; the text says why."""


class Machine:
    """Use by one thread. Everything in it ends with stop(), and with the test's own process."""

    def __init__(self, process: "subprocess.Popen[bytes]", init_pid: int, work: Path, name: str) -> None:
        self._process = process
        self._init_pid = init_pid
        self._work = work
        self._name = name

    @classmethod
    def start(cls) -> "Machine":
        """Boot it; one to a few seconds. Raises MachineUnavailable."""
        if os.geteuid() != 0:
            raise MachineUnavailable("a systemd of its own needs root; run the tests as root")
        for program in ("unshare", "nsenter", "setpriv", "/lib/systemd/systemd"):
            if shutil.which(program) is None:
                raise MachineUnavailable(f"{program} is not installed")
        work = Path(tempfile.mkdtemp(prefix="appliance-machine-"))
        name = f"appliance-machine-{uuid.uuid4().hex}"
        shown = [str(CHECKOUT), *({sys.base_prefix} - {"/usr"})]
        with (work / "boot.log").open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *WITH_PRIVATE_MOUNTS, "sh", "-c", BOOT, "_", work, name, *shown],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        return cls._booted(process, work, name)

    @classmethod
    def _booted(cls, process: "subprocess.Popen[bytes]", work: Path, name: str) -> "Machine":
        deadline = time.monotonic() + 30
        machine = None
        while time.monotonic() < deadline and process.poll() is None:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if children:
                machine = cls(process, int(children[0]), work, name)
                if machine.path("/run/systemd/private").exists():
                    machine.run("systemctl", "is-system-running", "--wait", check=False)
                    return machine
            time.sleep(0.02)
        process.kill()  # and with it, by --kill-child, whatever it started
        process.wait()
        said = (work / "boot.log").read_text(errors="replace").strip()
        shutil.rmtree(work, ignore_errors=True)
        raise MachineUnavailable(f"no systemd came up in namespaces of its own: {said or 'it said nothing'}")

    def stop(self) -> None:
        """End everything in it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._init_pid, 9)
        self._process.wait(timeout=30)
        shutil.rmtree(self._work, ignore_errors=True)
        _remove_group(self._name)

    def path(self, inside: str | Path) -> Path:
        """Where a file of the machine is found from outside."""
        return Path(f"/proc/{self._init_pid}/root{inside}")

    def run(self, *command: str, check: bool = True, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, as its root."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._init_pid), "-m", "-p", "-u", "-i", "-C", "-r", "-w", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C.UTF-8",
                "SYSTEMD_PAGER": "",
            },
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def systemctl(self, *arguments: str, timeout_s: float = 60) -> str:
        return self.run("systemctl", *arguments, timeout_s=timeout_s).stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.systemctl("show", unit, f"--property={name}", "--value")

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The journal's entries that match, oldest first."""
        self.run("journalctl", "--sync")
        lines = self.run("journalctl", "--output=json", "--all", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def lend_packages(self, environment: str) -> None:
        """Make a Python environment in which what the checkout's has counts as installed: it saves the download."""
        self.run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--without-pip", environment)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        packages = self.path(environment) / "lib" / version / "site-packages"
        (packages / "of-the-checkout.pth").write_text(sysconfig.get_path("purelib") + "\n")


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """A machine that ends with the block. The kernel is the host's: what deploy/install sets there is set back."""
    started = Machine.start()
    before = HOSTS_OWN.read_text()
    try:
        yield started
    finally:
        started.stop()
        if HOSTS_OWN.read_text() != before:
            HOSTS_OWN.write_text(before)


def _remove_group(name: str) -> None:
    remove = 'mount -t cgroup2 cgroup2 "$1" && find "$1/$2" -depth -type d -exec rmdir {} +'
    with tempfile.TemporaryDirectory() as empty:
        command = [*WITH_PRIVATE_MOUNTS, "sh", "-c", remove, "_", empty, name]
        subprocess.run(command, capture_output=True, timeout=30, check=False)
