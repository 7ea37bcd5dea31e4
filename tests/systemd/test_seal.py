"""A process that shuts itself in behind the unit's walls: the kernel lets it, and it still can do its work."""

import json
import re

import pytest
from machine import CHECKOUT

PROGRAM = """
import json, os, socket, subprocess, sys, tempfile
from pathlib import Path
from appliance.sandbox import seal
prepared = Path("/var/lib/appliance/prepared")
prepared.mkdir(exist_ok=True)
sealed = seal([prepared])
told = {"missing": sealed.missing, "landlock": any("Landlock" in one for one in sealed.in_force)}
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
told["inside"] = tried(lambda: (prepared / "here").write_text("x"))
told["state"] = tried(lambda: Path("/var/lib/appliance/there").write_text("x"))
told["temporary"] = tried(lambda: tempfile.mkstemp(dir="/tmp"))
told["socket"] = tried(socket.socket)
told["child"] = tried(lambda: subprocess.run(["true"], stdin=subprocess.DEVNULL, check=True))
print(json.dumps(told))
"""


@pytest.fixture
def sealed(installed):
    """What PROGRAM finds when it runs as the unit's service would, once, and with another program."""
    unit = (CHECKOUT / "systemd" / "appliance.service").read_text()
    unit = re.sub(r"Exec(Start|Reload)=.*\n", "", unit)
    unit = re.sub(r"(Restart|WatchdogSec|Type|NotifyAccess)=.*\n", "", unit)
    drop_in = installed.path("/etc/systemd/system/appliance.service.d/tests.conf").read_text()
    opened = re.sub(r"\[Service\]\n|WatchdogSec=.*\n", "", drop_in)
    program = f"ExecStart=/opt/appliance/.venv/bin/python /etc/appliance/sealed.py\nType=oneshot\n{opened}"
    installed.path("/etc/appliance/sealed.py").write_text(PROGRAM)
    installed.run("chmod", "644", "/etc/appliance/sealed.py")
    installed.path("/run/systemd/system/sealed.service").write_text(unit.replace("[Install]", f"{program}\n[Install]"))
    installed.systemctl("daemon-reload")
    ended = installed.run("systemctl", "start", "sealed", check=False)
    said = [str(entry["MESSAGE"]) for entry in installed.journal("_SYSTEMD_UNIT=sealed.service", "_TRANSPORT=stdout")]
    assert ended.returncode == 0, installed.run("journalctl", "-u", "sealed").stdout
    return json.loads(said[-1])


def test_a_process_shuts_itself_in_behind_the_units_walls(sealed):
    assert sealed["landlock"] or "this kernel has none" in str(sealed["missing"])
    if not sealed["landlock"]:
        pytest.skip(str(sealed["missing"]))
    assert sealed == {
        "missing": [],
        "landlock": True,
        "inside": "done",
        "state": "PermissionError",
        "temporary": "PermissionError",
        "socket": "PermissionError",
        "child": "done",
    }
