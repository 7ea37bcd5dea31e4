"""A model, and what its training saw, written by a process of its own."""

from pathlib import Path

import pytest
from exporting import export


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return export(Path(__file__).with_name("make_model.py"), tmp_path_factory.mktemp("trained"))
