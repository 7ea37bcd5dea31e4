"""Models of our own, servers that end with their test, and the models of TensorFlow Serving's tests where they lie."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from exporting import export
from served import SHARED, Server, publish


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """The folder of SavedModels that make_models.py writes, in a process of its own."""
    return export(Path(__file__).with_name("make_models.py"), tmp_path_factory.mktemp("saved"))


@pytest.fixture
def bases(saved_models, tmp_path):
    """Base paths of this test's own: `two` with version 1 of x/2 + 2, `three` with version 1 of x/2 + 3."""
    for name, source in (("two", "plus_2"), ("three", "plus_3"), ("counter", "counter"), ("slow", "slow")):
        publish(saved_models / source, tmp_path / name, 1)
    return tmp_path


@pytest.fixture
def broken(tmp_path):
    """A base path whose only version is no SavedModel."""
    folder = tmp_path / "broken" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"this is not a protocol buffer")
    return tmp_path / "broken"


@pytest.fixture
def server(tmp_path):
    made = []

    def start(*flags, **wishes):
        made.append(Server(tmp_path, len(made)).start(*flags, **wishes))
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture
def shared_model(tmp_path):
    """A model of TensorFlow Serving's own tests, copied; skips where they do not lie beside the checkout."""

    def copy(*path):
        source = SHARED.joinpath(*path)
        if not source.is_dir():
            pytest.skip(f"the models of TensorFlow Serving's tests are not there: {source}")
        return Path(shutil.copytree(source, tmp_path.joinpath("shared", *path)))

    return copy
