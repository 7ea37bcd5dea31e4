import threading

import pytest
from serving.doubles import STRANGERS


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test():
    before = set(threading.enumerate())
    STRANGERS.clear()
    STRANGERS.update(before)
    yield
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


@pytest.fixture
def hand():
    from serving.doubles import HandManager

    return HandManager()
