"""The unit as it is shipped, judged by systemd's own tools."""

import re
import shutil
import subprocess

import pytest
from machine import CHECKOUT

UNIT = CHECKOUT / "systemd" / "appliance.service"
DROP_INS = sorted((CHECKOUT / "systemd" / "drop-ins").glob("*.conf"))

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def verified(tmp_path):
    """systemd-analyze verify of the unit with these drop-ins; its program is replaced by one that exists."""

    def verify(*drop_ins) -> str:
        folder = tmp_path / "units"
        (folder / f"{UNIT.name}.d").mkdir(parents=True)
        for file in (UNIT, *drop_ins):
            place = folder / UNIT.name if file == UNIT else folder / f"{UNIT.name}.d" / file.name
            place.write_text(re.sub(r"ExecStart=/\S+", "ExecStart=/bin/true", file.read_text()))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", folder / UNIT.name],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit code {done.returncode}")

    return verify


def test_systemd_has_nothing_to_say_about_the_unit(verified):
    assert verified(UNIT) == ""


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda file: file.stem)
def test_systemd_has_nothing_to_say_about_a_drop_in(drop_in, verified):
    if drop_in.stem == "notify-reload" and systemd_version() < 253:
        pytest.skip("Type=notify-reload came with systemd 253")
    assert verified(UNIT, drop_in) == ""


def test_a_mistake_in_a_unit_would_be_said(verified, tmp_path):
    (wrong := tmp_path / "wrong.conf").write_text("[Service]\nWatchdogSecs=30s\n")
    assert "WatchdogSecs" in verified(UNIT, wrong)


def test_the_exposure_is_at_most_three_of_ten():
    assert exposure(UNIT) <= 3.0


def test_an_open_unit_would_be_found_exposed(tmp_path):
    closed = UNIT.read_text().partition("# ---- everything else is closed")
    (opened := tmp_path / UNIT.name).write_text(closed[0] + "[Install]\nWantedBy=multi-user.target\n")
    assert exposure(opened) > 3.0


def exposure(unit) -> float:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stdout
    found = re.search(r"Overall exposure level for appliance\.service: (\d+\.\d+)", said)
    assert found, said
    return float(found[1])


def systemd_version() -> int:
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, timeout=30, check=True)
    return int(said.stdout.split()[1])
