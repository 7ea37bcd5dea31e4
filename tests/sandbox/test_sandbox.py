"""A sealed process, tried from inside: what it can still do, and what it cannot."""

import json
import platform
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from running import REPOSITORY

from appliance.sandbox import landlock, sealing, seccomp
from appliance.sandbox.syscalls import MACHINES

has_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
knows_machine = pytest.mark.skipif(platform.machine() not in MACHINES, reason="another machine")


def sealed(body: str, tmp_path: Path) -> dict[str, str]:
    """What each expression of `body`, a line each, came to in a process sealed to `tmp_path`/mine."""
    (tmp_path / "mine").mkdir(exist_ok=True)
    program = f"""
        import json, os, shutil, socket, subprocess, sys, threading
        from pathlib import Path
        from appliance.sandbox import seal
        mine, outside = Path({str(tmp_path / "mine")!r}), Path({str(tmp_path)!r})
        told = {{}}
        seal([mine])
        for line in {body.strip().splitlines()!r}:
            try:
                told[line.strip()] = repr(eval(line))
            except OSError as error:
                told[line.strip()] = type(error).__name__
        print(json.dumps(told))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def only(told: dict[str, str]) -> str:
    assert len(told) == 1
    return next(iter(told.values()))


@pytest.mark.parametrize("kind", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
@knows_machine
def test_there_is_no_socket_of_any_kind(kind, tmp_path):
    assert only(sealed(f"socket.socket(socket.{kind}, socket.SOCK_RAW if {kind!r} > 'AF_N' else 1)", tmp_path)) == (
        "PermissionError"
    )


@knows_machine
def test_a_child_in_the_seal_cannot_reach_a_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        told = only(
            sealed(f"subprocess.run([sys.executable, '-c', {code!r}], capture_output=True).stderr[-60:]", tmp_path)
        )
        assert "Operation not permitted" in told
        socket.create_connection(("127.0.0.1", port), 2).close()  # who is not sealed does reach it


@has_landlock
def test_files_are_written_beneath_its_folder_and_nowhere_else(tmp_path):
    (tmp_path / "there").write_text("before")
    told = sealed(
        """
        (mine / "new").write_text("x")
        (mine / "new").rename(mine / "renamed").name
        (outside / "new").write_text("x")
        (outside / "there").write_text("after")
        (outside / "there").unlink()
        (outside / "there").rename(mine / "taken")
        os.truncate(outside / "there", 0)
        (outside / "folder").mkdir()
        (outside / "link").symlink_to("there")
        (mine / "renamed").rename(outside / "out")
        (outside / "there").read_text()
        subprocess.run(["sh", "-c", f"echo x > {outside}/there"], stderr=-3, stdin=-3).returncode
        """,
        tmp_path,
    )
    assert list(told.values()) == [
        "1", "'renamed'", *["PermissionError"] * 8, "'before'", "2",
    ]  # fmt: skip
    assert (tmp_path / "there").read_text() == "before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine", "there"]


@knows_machine
def test_other_processes_of_its_user_are_out_of_its_reach(tmp_path):
    told = sealed(
        """
        os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
        os.setpriority(os.PRIO_USER, 0, 19)
        os.setpriority(os.PRIO_PGRP, 0, 19)
        os.sched_setaffinity(os.getppid(), {0})
        os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))
        __import__("resource").prlimit(os.getppid(), 7, (1, 1))
        """,
        tmp_path,
    )
    assert set(told.values()) == {"PermissionError"}


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock does not know signals")
def test_signals_reach_only_its_own_children(tmp_path):
    told = sealed(
        """
        os.kill(os.getppid(), 0)
        (lambda child: (child.kill(), child.wait()))(subprocess.Popen(["sleep", "60"], stdin=-3))
        """,
        tmp_path,
    )
    assert list(told.values()) == ["PermissionError", "(None, -9)"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ptrace", (16, 1, 0, 0)),
        ("mount", (0, 0, 0, 0, 0)),
        ("process_vm_writev", (1, 0, 0, 0, 0, 0)),
        ("bpf", (0, 0, 0)),
        ("add_key", (0, 0, 0, 0, 0)),
        ("io_uring_setup", (1, 0)),
        ("kexec_load", (0, 0, 0, 0)),
        ("unshare", (0x1000_0000,)),
        ("clone", (0x1000_0011, 0, 0, 0, 0)),
        ("userfaultfd", (0,)),
        ("perf_event_open", (0, 0, 0, 0, 0)),
        ("pidfd_getfd", (0, 0, 0)),
    ],
)
@knows_machine
def test_calls_that_a_model_never_needs_are_refused(name, arguments, tmp_path):
    """EPERM, not what the kernel would say of the nonsense that is given."""
    number = MACHINES[platform.machine()].numbers[name]
    told = sealed(f"__import__('appliance.sandbox.kernel').sandbox.kernel.call({number}, *{arguments})", tmp_path)
    assert only(told) == "PermissionError"


def test_threads_processes_and_pairs_of_sockets_go_on_as_before(tmp_path):
    told = sealed(
        """
        (lambda thread: (thread.start(), thread.join()))(threading.Thread(target=print))
        subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, stdin=-3).stdout
        len(socket.socketpair())
        os.nice(1) >= 1
        """,
        tmp_path,
    )
    assert list(told.values()) == ["(None, None)", "b'1\\n'", "2", "True"]


def test_cores_large_files_and_priorities_are_limited(tmp_path):
    told = sealed(
        """
        [__import__("resource").getrlimit(which) for which in (4, 13, 14)]
        __import__("resource").getrlimit(1)[1] <= 4 << 30
        """,
        tmp_path,
    )
    assert list(told.values()) == ["[(0, 0), (0, 0), (0, 0)]", "True"]


def test_it_comes_before_a_second_thread():
    import threading

    held = threading.Event()
    other = threading.Thread(target=held.wait)
    other.start()
    try:
        with pytest.raises(RuntimeError, match="before"):
            sealing.seal([])
    finally:
        held.set()
        other.join()


def test_what_the_kernel_cannot_do_is_said(monkeypatch, caplog):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(landlock, "why_not", lambda: "no Landlock, since this kernel has none")
    monkeypatch.setattr(sealing, "MACHINES", {})
    monkeypatch.setattr(sealing, "_limit", lambda _: None)
    monkeypatch.setattr(sealing, "prctl", lambda *_: None)
    monkeypatch.setattr(sealing, "_threads", lambda: 1)
    found = sealing.seal([])
    assert [sentence.split(",")[0].split(":")[0] for sentence in found.missing] == [
        "no Landlock",
        "system calls are not restricted",
    ]
    assert caplog.text.count("The sandbox is not whole") == 2


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
        ("aarch64", Path("/usr/include/asm-generic/unistd.h")),
    ],
)
def test_numbers_are_the_kernel_s_own(machine, header):
    if not header.is_file():
        pytest.skip("the kernel's headers are not installed")
    numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    assert {name: int(numbers[name]) for name in MACHINES[machine].numbers} == MACHINES[machine].numbers


def test_both_machines_refuse_the_same():
    only_there = set(MACHINES["x86_64"].numbers) ^ set(MACHINES["aarch64"].numbers)
    assert only_there == {"iopl", "ioperm", "modify_ldt", "mknod"}  # aarch64 has none of these


@pytest.mark.parametrize("machine", MACHINES)
def test_every_way_through_the_filter_ends_inside_it(machine):
    lines = seccomp.program(MACHINES[machine])
    assert len(lines) < 4096
    for place, (code, if_so, if_not, _) in enumerate(lines):
        if code & 7 == 5:
            assert place + 1 + max(if_so, if_not) < len(lines)
