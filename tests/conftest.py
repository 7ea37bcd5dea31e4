"""What several tests stand on."""

import shutil
import threading
from collections.abc import Iterator

import pytest
from running import VALIDATOR, Appliance, Mosquitto, Subscriber


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
