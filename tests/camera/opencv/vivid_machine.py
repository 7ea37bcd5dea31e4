"""A small virtual machine with a video device: Debian's own kernel, its test driver vivid, and this computer's files.

No modules can be loaded here, so a kernel that can is started in QEMU without hardware's help (20 s to come up). It
sees this computer's root read-only (9p), and runs our own Python on the tests' cases. See Machine.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "vivid")
_VIVID = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0x00"  # one webcam
_PACKAGE = re.compile(r"^linux-image-6\.1\.0-(\d+)-amd64 ", re.MULTILINE)
_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*; do case $module in *vivid.ko) insmod $module {vivid};; *) insmod $module;; esac; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /host
mount --bind /dev /host/dev; mount -t proc proc /host/proc; mount -t sysfs sys /host/sys; mount -t tmpfs tmp /host/tmp
echo; chroot /host /usr/bin/env HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} {command}
poweroff -f
"""


def missing() -> str:
    """Why there can be no such machine here; empty where there can."""
    lacks = [
        program for program in ("qemu-system-x86_64", "busybox", "apt-get", "dpkg-deb") if not shutil.which(program)
    ]
    return f"not verified: no virtual machine for V4L2 ({', '.join(lacks)} not installed)" if lacks else ""


class Machine:
    """Made anew for each run; nothing that it does is kept."""

    def __init__(self, folder: Path) -> None:
        """`folder`: 500 MB for the kernel, which is had from Debian's packages. Raises: OSError where it cannot."""
        self._folder = folder
        self._kernel = _fetch_kernel(folder)

    def run(self, *command: str, limit_s: float) -> str:
        """What `command` says on the machine's console, with this computer's root and the working tree's packages."""
        repository = Path(__file__).parents[3]
        init = _INIT.format(vivid=_VIVID, path=repository, command=" ".join([sys.executable, *command]))
        initrd = self._folder / "initrd.gz"
        initrd.write_bytes(gzip.compress(b"".join(_archive(init, _modules(self._kernel))), 1))
        (image,) = (self._kernel / "boot").glob("vmlinuz-*")
        done = subprocess.run(
            [
                *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1500"),
                *("-nographic", "-no-reboot", "-net", "none", "-kernel", str(image), "-initrd", str(initrd)),
                *("-append", "console=ttyS0 quiet panic=-1"),
                *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=True,
        )
        return done.stdout.decode(errors="replace").replace("\r", "")


def _fetch_kernel(folder: Path) -> Path:
    root = folder / "kernel"
    known = subprocess.run(
        ["apt-cache", "search", "linux-image-6.1.0"], capture_output=True, text=True, check=True
    ).stdout
    numbers = _PACKAGE.findall(known)
    if not numbers:
        raise OSError("apt knows no kernel 6.1")
    package = f"linux-image-6.1.0-{max(numbers, key=int)}-amd64"
    try:
        subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, check=True, timeout=200)
    except subprocess.SubprocessError as error:
        raise OSError(f"{package} cannot be downloaded") from error
    (file,) = folder.glob("linux-image-*.deb")
    subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True)
    return root


def _modules(kernel: Path) -> list[Path]:
    """In the order in which they go in."""
    files = {path.stem.replace("-", "_"): path for path in kernel.glob("lib/modules/**/*.ko")}
    order: list[Path] = []

    def add(name: str) -> None:
        needs = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
        for one in needs[1].decode().split(",") if needs and needs[1] else ():
            add(one.replace("-", "_"))
        if files[name] not in order:
            order.append(files[name])

    for name in _MODULES:
        if name in files:  # some are built in
            add(name)
    return order


def _archive(init: str, modules: list[Path]) -> Iterator[bytes]:
    """The first file system, as the kernel reads it (cpio, "newc")."""
    for folder in ("bin", "proc", "sys", "dev", "host", "modules"):
        yield _member(folder, 0o40755)
    yield _member("init", 0o100755, init.encode())
    yield _member("bin/busybox", 0o100755, Path(shutil.which("busybox") or "").read_bytes())
    for number, module in enumerate(modules):
        yield _member(f"modules/{number:02}_{module.name}", 0o100644, module.read_bytes())
    yield _member("TRAILER!!!", 0)


def _member(name: str, mode: int, content: bytes = b"") -> bytes:
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def cases() -> str:
    """The program that runs in the machine."""
    return os.fspath(Path(__file__).with_name("v4l2_cases.py"))
