"""A real V4L2 device: the kernel's own test driver, in a virtual machine. The cases are in v4l2_cases.py."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import virtual_machine

CASES_FILE = Path(__file__).with_name("v4l2_cases.py")
WEBCAM = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0x00"


def _cases():
    spec = importlib.util.spec_from_file_location("v4l2_cases", CASES_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the cases said in the machine, each in a line."""
    if why := virtual_machine.missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("machine")
    try:
        made = virtual_machine.Machine(folder, {"vivid": WEBCAM})
        return made.run(str(CASES_FILE), "/dev/video0", limit_s=400)
    except OSError as error:
        pytest.skip(f"not verified: no virtual machine for V4L2 ({error})")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(700)
@pytest.mark.parametrize("case", [case.__name__ for case in _cases()])
def test_with_a_real_device(case, said):
    assert re.search(rf"^ok {case} ", said, re.MULTILINE), said[-6000:]
