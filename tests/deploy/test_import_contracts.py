"""Each import contract, broken once on purpose: a rule that cannot fail protects nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from machine import CHECKOUT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

BROKEN = {
    "The appliance reads from the top down": ("appliance/outbox/errors.py", "import appliance.config"),
    "Who sends results does not write them": ("appliance/outbox/sender/live.py", "import appliance.outbox.store"),
    "The registry's rules are below whatever reads disks and networks": (
        "appliance/registry/package/files.py",
        "import appliance.registry.store.store",
    ),
    "A deployment's rules do no I/O": ("appliance/registry/deployments/states.py", "import numpy"),
    "Signatures have one home": ("appliance/registry/remote/protocol.py", "import cryptography"),
    "Cameras know nothing of the appliance": ("camera/errors.py", "import appliance.errors"),
    "Who delivers results does not know what serves models": ("appliance/outbox/errors.py", "import appliance.serving"),
    "Serving is the standard library only": ("appliance/serving/errors.py", "import numpy"),
    "MQTT has one home, and the demonstration's subscriber is a stranger to it": (
        "appliance/app.py",
        "import paho.mqtt",
    ),
    "gRPC has two ends": ("appliance/serving/errors.py", "import grpc"),
    "HTTP and metrics have one home": ("appliance/gateway/process.py", "import flask"),
    "TensorFlow and LiteRT have one home": ("appliance/inspection/errors.py", "import tensorflow"),
    "systemd-python has two homes, and neither needs it": ("appliance/app.py", "import systemd.daemon"),
    "Basler's library has one home": ("camera/drivers/folder.py", "import pypylon"),
    "The pins' library has one home": ("appliance/lines.py", "import gpiod"),
    "The operator's file is written in one place": ("appliance/config.py", "import tomlkit"),
    "No cycles anywhere": ("appliance/inspection/errors.py", "import appliance.inspection.station"),
}


def imports_of(folder: Path) -> str:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    ).stdout


@pytest.fixture
def copied(tmp_path) -> Path:
    for package in ("appliance", "camera"):
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_broken_below():
    lines = imports_of(CHECKOUT).splitlines()
    assert {line.removesuffix(" KEPT") for line in lines if line.endswith(" KEPT")} == set(BROKEN)


@pytest.mark.parametrize("contract", BROKEN)
def test_an_import_that_goes_up_or_sideways_is_found(contract, copied):
    file, line = BROKEN[contract]
    with (copied / file).open("a") as module:
        module.write(f"\n{line}\n")
    assert f"{contract} BROKEN" in imports_of(copied)


def test_a_new_module_must_say_where_it_belongs(copied):
    (copied / "appliance" / "helpers.py").write_text("")
    assert "helpers" in imports_of(copied)
