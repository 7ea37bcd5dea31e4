"""The one list of versions: complete, exact, and free of addresses."""

import re
import sys
from importlib import metadata

import pytest
from machine import CHECKOUT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINES = [
    line
    for line in (CHECKOUT / "deploy" / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
PINNED = {
    canonicalize_name(one.name): str(one.specifier).removeprefix("==")
    for one in map(Requirement, LINES)
    if one.marker is None or one.marker.evaluate()
}
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
ASKED = [
    *PROJECT["dependencies"],
    *(one for extra in ("dev", "systemd") for one in PROJECT["optional-dependencies"][extra]),
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_one_exact_version_and_no_address(line):
    assert re.fullmatch(r'[a-z0-9-]+==[0-9][0-9a-z.]*(; python_version (<|>=) "3\.\d+")?', line)


@pytest.mark.parametrize("asked", ASKED)
def test_what_the_project_asks_for_is_pinned_within_what_it_asks(asked):
    requirement = Requirement(asked)
    if requirement.marker is None or requirement.marker.evaluate():
        assert PINNED[canonicalize_name(requirement.name)] in requirement.specifier


def test_what_is_installed_is_what_is_pinned():
    found = {canonicalize_name(one.metadata["Name"]): one.version for one in metadata.distributions()}
    found.pop("inspection-appliance", None)
    differing = {name: (version, PINNED.get(name)) for name, version in found.items() if version != PINNED.get(name)}
    assert not differing, "installed, pinned: run deploy/test, or renew deploy/constraints.txt"
