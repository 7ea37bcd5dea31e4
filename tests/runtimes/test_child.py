"""A process of our own ends in any case, and all it started ends with it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from appliance.runtimes.child import Child


@pytest.fixture
def module(tmp_path, monkeypatch):
    def write(text):
        (tmp_path / "a_module_of_a_test.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "a_module_of_a_test"

    return write


def exists(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone, or going
        return False


def test_it_says_how_it_ended_and_what_it_said_last(module):
    ended = Child(module("import sys; print('out'); print('a\\nlast', file=sys.stderr); sys.exit(3)"), []).wait(20)
    assert (ended.code, ended.out, ended.how, ended.timed_out) == (3, "out\n", "last", False)


def test_what_libraries_say_in_passing_is_not_how_it_ended(module):
    text = "import sys; print('ValueError: why\\nI0000 00:00:1 port.cc:1] oneDNN\\n', file=sys.stderr); sys.exit(1)"
    assert Child(module(text), []).wait(20).how == "ValueError: why"


def test_it_is_given_its_arguments(module):
    assert Child(module("import sys; print(sys.argv[1:])"), ["a b", "c"]).wait(20).out == "['a b', 'c']\n"


def test_only_the_end_of_what_it_said_is_kept(module):
    ended = Child(module("import sys; sys.stderr.write('x' * 100_000 + 'end')"), []).wait(20)
    assert len(ended.err) == 2_000
    assert ended.err.endswith("end")


def test_after_its_time_it_is_made_to_end(module):
    began = time.monotonic()
    ended = Child(module("import time; time.sleep(60)"), []).wait(0.3)
    assert ended.timed_out
    assert ended.how == "it took too long"
    assert time.monotonic() - began < 10


def test_what_it_started_does_not_outlive_it(module):
    text = (
        "import subprocess, sys\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)\n"
    )
    ended = Child(module(text), []).wait(20)
    limit = time.monotonic() + 10
    while exists(int(ended.out)) and time.monotonic() < limit:
        threading.Event().wait(0.02)
    assert not exists(int(ended.out))


def test_any_thread_may_end_it(module):
    child = Child(module("import time; time.sleep(60)"), [])
    threading.Timer(0.1, child.kill).start()
    ended = child.wait(20)
    assert ended.code == -9
    assert "signal 9 (Killed)" in ended.how
    child.kill()


def test_a_child_ends_when_its_parent_is_killed(module):
    name = module(
        "import sys, time\n"
        "from appliance.runtimes.prepare.background import become_background\n"
        "become_background(1 << 30)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    program = (
        "import sys, time\n"
        "from appliance.runtimes.child import Child\n"
        f"child = Child({name!r}, [])\n"
        "while child._out.seek(0, 2) == 0: time.sleep(0.01)\n"
        "print(child.pid, flush=True)\n"
        "child.wait(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    limit = time.monotonic() + 10
    while exists(pid) and time.monotonic() < limit:
        threading.Event().wait(0.02)
    assert not exists(pid)
