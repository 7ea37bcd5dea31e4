"""The threads that a part waits for go before everything else, where the system lets them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import until

from appliance.scheduling import REAL_TIME


def real_time_is_allowed():
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def threads(pid):
    """{name: (policy, priority, processors)} of each thread."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        number = int(task.name)
        policy = os.sched_getscheduler(number) & ~os.SCHED_RESET_ON_FORK
        priority = os.sched_getparam(number).sched_priority
        found[(task / "comm").read_text().strip()] = (policy, priority, os.sched_getaffinity(number))
    return found


@pytest.mark.skipif(not real_time_is_allowed(), reason="NOT VERIFIED: no real-time priority here (ulimit -r)")
def test_what_a_part_waits_for_is_real_time_and_keeps_to_itself(appliance, subscriber):
    line = appliance()
    line.start()
    until(lambda: subscriber.results, "a result", 180)
    found = threads(line.process.pid)
    for role in ("trigger", "deadline", "station", "camera"):
        policy, priority, _ = found[f"top/{role}"]
        assert (policy, priority) == (os.SCHED_RR, REAL_TIME[role])
    half = set(range((os.cpu_count() or 2) // 2)) or set(range(os.cpu_count() or 1))
    assert found["top/station"][2] == half & os.sched_getaffinity(0)
    assert found["manager"][0] == os.SCHED_OTHER
    loader = [value for name, value in found.items() if name.startswith("load")]
    for _, _, processors in loader:
        assert not processors & half


def test_a_real_time_thread_starts_ordinary_ones():
    program = (
        "import os, subprocess, sys; from appliance.scheduling import enter_real_time\n"
        "entered = enter_real_time('station')\n"
        "child = subprocess.run([sys.executable, '-c', 'import os; print(os.sched_getscheduler(0))'],"
        " capture_output=True, text=True)\n"
        "print(entered, child.stdout.strip())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert said[1] == str(os.SCHED_OTHER)


def test_who_may_not_be_real_time_runs_as_before():
    program = (
        "import os, resource; from appliance.scheduling import enter_real_time\n"
        "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))\n"
        "os.geteuid() == 0 and os.setresuid(65534, 65534, 65534)\n"
        "before = os.sched_getaffinity(0)\n"
        "print(enter_real_time('station'), os.sched_getscheduler(0), os.sched_getaffinity(0) == before)"
    )
    root = str(Path(__file__).resolve().parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
        check=False,
    )
    assert ran.stdout.split() == ["False", str(os.SCHED_OTHER), "True"], ran.stderr
