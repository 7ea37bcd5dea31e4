"""A small virtual machine: Debian's own kernel with test devices of the kernel's own, and this computer's files.

No modules can be loaded here, so a kernel that can is started in QEMU without hardware's help (20 s to come up). It
sees this computer's root read-only (9p), and runs our own Python on the tests' cases. Two devices: vivid, a camera
(V4L2), which Debian's kernel brings along; gpio-sim, pins whose levels a test sets, which it does not: it is built from
Debian's package of the same kernel's source.
"""

import gzip
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_OUR_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "configfs")
_PACKAGE = re.compile(r"^linux-image-6\.1\.0-(\d+)-amd64 ", re.MULTILINE)
_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
{insert}
ifconfig lo 127.0.0.1 up
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /host
mount --bind /host/tmp /host/mnt  # this computer's: see inside()
mount --bind /dev /host/dev; mount -t proc proc /host/proc; mount -t sysfs sys /host/sys; mount -t tmpfs tmp /host/tmp
mount -t configfs config /host/sys/kernel/config
mkdir /dev/shm; mount -t tmpfs shm /host/dev/shm
echo; chroot /host /usr/bin/env HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} {command}
poweroff -f
"""
_IRQ_SIM = """/* The simulator of interrupts that gpio-sim needs: Debian's kernel is built without it. */
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/module.h>
#define irq_to_desc(irq) irq_data_to_desc(irq_get_irq_data(irq)) /* not exported to modules */
#include "irq_sim.c"
MODULE_LICENSE("GPL");
"""
_SOURCES = ("drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c")


def missing(*more: str) -> str:
    """Why there can be no such machine here; empty where there can. `more`: programs that the caller needs, too."""
    programs = ("qemu-system-x86_64", "busybox", "apt-get", "dpkg-deb", *more)
    lacks = [program for program in programs if not shutil.which(program)]
    return f"not verified: no virtual machine here ({', '.join(lacks)} not installed)" if lacks else ""


def missing_for_gpio() -> str:
    """As missing(), for a machine with gpio-sim."""
    return missing("make", "gcc-12")


class Machine:
    """Made anew for each run; nothing that it does is kept."""

    def __init__(self, folder: Path, devices: Mapping[str, str]) -> None:
        """`folder`: 700 MB for the kernel, which is had from Debian's packages; `devices`: test devices' modules, and
        their parameters. Raises: OSError where the kernel cannot be had.
        """
        self._folder = folder
        self._devices = devices
        package = _newest_kernel()
        self._kernel = _unpacked(folder, f"linux-image-{package}-amd64")
        self._files = {path.stem.replace("-", "_"): path for path in self._kernel.glob("lib/modules/**/*.ko")}
        if "gpio_sim" in devices and "gpio_sim" not in self._files:
            self._files.update(_build_gpio_sim(folder, package))

    @staticmethod
    def inside(path: Path) -> Path:
        """Where the machine has this computer's `path`: it has a /tmp of its own."""
        return Path("/mnt") / path.relative_to("/tmp") if path.is_relative_to("/tmp") else path

    def run(self, *command: str, limit_s: float, memory_mb: int = 1500) -> str:
        """What `command` says on the machine's console, with this computer's root and the working tree's packages."""
        repository = Path(__file__).parents[1]
        modules = self._modules()
        insert = "\n".join(f"insmod /modules/{path.name} {parameters}" for path, parameters in modules)
        init = _INIT.format(
            insert=insert, path=f"{repository}:{repository}/tests", command=" ".join([sys.executable, *command])
        )
        initrd = self._folder / "initrd.gz"
        initrd.write_bytes(gzip.compress(b"".join(_archive(init, [path for path, _ in modules])), 1))
        (image,) = (self._kernel / "boot").glob("vmlinuz-*")
        done = subprocess.run(
            [
                *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(memory_mb)),
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

    def _modules(self) -> list[tuple[Path, str]]:
        """(file, parameters), in the order in which they go in."""
        order: dict[Path, str] = {}

        def add(name: str, parameters: str = "") -> None:
            path = self._files[name]
            needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
            for one in needs[1].decode().split(",") if needs and needs[1] else ():
                add(one.replace("-", "_"))
            order.setdefault(path, parameters)

        for name in _OUR_MODULES:
            if name in self._files:  # some are built in
                add(name)
        for name, parameters in self._devices.items():
            add(name, parameters)
        return list(order.items())


def _newest_kernel() -> str:
    known = subprocess.run(
        ["apt-cache", "search", "linux-image-6.1.0"], capture_output=True, text=True, check=True
    ).stdout
    numbers = _PACKAGE.findall(known)
    if not numbers:
        raise OSError("apt knows no kernel 6.1")
    return f"6.1.0-{max(numbers, key=int)}"


def _unpacked(folder: Path, *packages: str) -> Path:
    """Their files, below one folder."""
    try:
        subprocess.run(["apt-get", "download", *packages], cwd=folder, capture_output=True, check=True, timeout=300)
    except subprocess.SubprocessError as error:
        raise OSError(f"{', '.join(packages)} cannot be downloaded") from error
    root = folder / packages[0]
    for package in packages:
        (file,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True)
        file.unlink()
    return root


def _build_gpio_sim(folder: Path, version: str) -> dict[str, Path]:
    """Debian's kernel has no GPIO that can be simulated: its own source's gpio-sim, built for it (20 s)."""
    headers, common = f"linux-headers-{version}-amd64", f"linux-headers-{version}-common"
    sources = _unpacked(folder, headers, common, "linux-kbuild-6.1", "linux-source-6.1") / "usr" / "src"
    where, module = sources / headers, folder / "gpio-sim"
    (where / "Makefile").write_text(f"include {sources / common}/Makefile\n")
    module.mkdir()
    archive = sources / "linux-source-6.1.tar.xz"
    inside = [f"linux-source-6.1/{name}" for name in _SOURCES]
    subprocess.run(["tar", "-xJf", archive, "-C", module, "--transform", "s,.*/,,", *inside], check=True)
    (module / "irq-sim.c").write_text(_IRQ_SIM)
    (module / "Makefile").write_text("obj-m += irq-sim.o gpio-sim.o\n")
    done = subprocess.run(["make", "-C", where, f"M={module}", "modules"], capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"gpio-sim cannot be built: {done.stderr.decode(errors='replace')[-2000:]}")
    return {"gpio_sim": module / "gpio-sim.ko", "irq_sim": module / "irq-sim.ko"}


def _archive(init: str, modules: list[Path]) -> Iterator[bytes]:
    """The first file system, as the kernel reads it (cpio, "newc")."""
    for folder in ("bin", "proc", "sys", "dev", "host", "modules"):
        yield _member(folder, 0o40755)
    yield _member("init", 0o100755, init.encode())
    yield _member("bin/busybox", 0o100755, Path(shutil.which("busybox") or "").read_bytes())
    for module in modules:
        yield _member(f"modules/{module.name}", 0o100644, module.read_bytes())
    yield _member("TRAILER!!!", 0)


def _member(name: str, mode: int, content: bytes = b"") -> bytes:
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
