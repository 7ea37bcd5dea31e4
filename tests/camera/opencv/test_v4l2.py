"""A real V4L2 device: the kernel's own test driver, in a virtual machine. The cases are in v4l2_cases.py."""

import importlib.util
import re
from pathlib import Path

import pytest


def _module(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the cases said in the machine, each in a line."""
    machine = _module("vivid_machine")
    if machine.missing():
        pytest.skip(machine.missing())
    try:
        made = machine.Machine(tmp_path_factory.mktemp("machine"))
    except OSError as error:
        pytest.skip(f"not verified: no virtual machine for V4L2 ({error})")
    return made.run(machine.cases(), "/dev/video0", limit_s=400)


@pytest.mark.slow
@pytest.mark.timeout(700)
@pytest.mark.parametrize("case", [case.__name__ for case in _module("v4l2_cases").CASES])
def test_with_a_real_device(case, said):
    assert re.search(rf"^ok {case} ", said, re.MULTILINE), said[-6000:]
