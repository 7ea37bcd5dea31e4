"""What several tests stand on."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from running import VALIDATOR, Appliance, Mosquitto, Subscriber

# The same examples in each run of the same code: a defect that only luck finds is looked for on purpose, with
# HYPOTHESIS_PROFILE=search and as many runs as one has time for, and not by whoever changed something else.
settings.register_profile("same", derandomize=True)
settings.register_profile("search")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_modifyitems(config, items):
    """Where tests run side by side: those that share what is made once stay together, which is those of a folder.

    Beside no other: whatever uses a camera simulator where each cannot have a network of its own.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    here = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(here)
        name = place.name if place.parent == Path() else str(place.parent)
        if os.geteuid() != 0 and ("camera" in str(place) or "commissioning" in str(place)):
            name = "cameras"
        item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before and not thread.daemon]
    assert left == []


@pytest.fixture
def broker(tmp_path):
    started = Mosquitto(tmp_path / "broker").start()
    yield started
    started.stop()


@pytest.fixture
def subscriber(broker):
    """Every result it has heard was valid by the published schema."""
    heard = Subscriber(broker.port)
    yield heard
    heard.close()
    for result in heard.results:
        VALIDATOR.validate(result)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """The demo model as the appliance prepared it: once, for all tests that need not see it being prepared."""
    folder = tmp_path_factory.mktemp("prepared")
    line = Appliance(folder, broker_port=1).start("--parts", "1")
    try:
        assert line.wait(300) == 0, line.log()
    finally:
        line.end()
    return folder / "state" / "prepared"


@pytest.fixture
def appliance(tmp_path, broker, prepared):
    """Build one with `appliance(**changes)`; it is ended after the test."""
    built = []

    def build(**changes):
        changes.setdefault("broker_port", broker.port)
        one = Appliance(tmp_path, **changes)
        shutil.copytree(prepared, tmp_path / "state" / "prepared", dirs_exist_ok=True)
        built.append(one)
        return one

    yield build
    for one in built:
        one.end()
        if one.process is not None and one.process.returncode not in {0, 1, -9}:
            print(one.log()[-3000:])
