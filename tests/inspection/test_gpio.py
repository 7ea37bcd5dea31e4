"""A photo-eye on a real pin: the kernel's own simulated ones, in a virtual machine. The cases are in gpio_cases.py."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import virtual_machine

CASES_FILE = Path(__file__).with_name("gpio_cases.py")
LINE_FILE = Path(__file__).with_name("gpio_line.py")


def _names(file):
    return re.findall(r"^    ([a-z_]+),$", file.read_text().partition("CASES = [")[2], re.MULTILINE)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if why := virtual_machine.missing_for_gpio():
        pytest.skip(why)
    if importlib.util.find_spec("gpiod") is None:
        pytest.skip("not verified: gpiod is not installed")
    folder = tmp_path_factory.mktemp("machine")
    try:
        yield virtual_machine.Machine(folder, {"gpio_sim": ""})
    except OSError as error:
        pytest.skip(f"not verified: no virtual machine with pins ({error})")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def said(machine):
    """What the cases said in the machine, each in a line."""
    return machine.run(str(CASES_FILE), limit_s=400)


@pytest.fixture(scope="module")
def line_said(machine, prepared):
    """What the whole appliance in the machine was seen to do."""
    if not shutil.which("mosquitto") and not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("not verified: no broker (mosquitto) for the whole appliance on a pin")
    return machine.run(str(LINE_FILE), str(machine.inside(prepared)), limit_s=900, memory_mb=3000)


@pytest.mark.slow
@pytest.mark.timeout(700)
@pytest.mark.parametrize("case", _names(CASES_FILE))
def test_with_a_real_pin(case, said):
    assert re.search(rf"^ok {case} ", said, re.MULTILINE), said[-8000:]


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("case", _names(LINE_FILE))
def test_the_whole_appliance_on_a_real_pin(case, line_said):
    assert re.search(rf"^ok {case} ", line_said, re.MULTILINE), line_said[-8000:]
