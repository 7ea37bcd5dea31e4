"""Brokers that end with their test, and waits that are short."""

import threading

import pytest
from outbox.brokers import Broker

from appliance.mqtt import link
from appliance.sparkplug import node, session, telling


@pytest.fixture(autouse=True)
def no_sparkplug_thread_outlives_its_test():
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name in {"sparkplug", "outbox-writer"}] == []


@pytest.fixture(autouse=True)
def no_broker_outlives_its_test():
    yield
    Broker.stop_all()


def hurry(patch):
    """Tenths of a second instead of seconds: what is tested is not how long it waits."""
    patch.setattr(link, "_RETRY_FIRST_S", 0.05)
    patch.setattr(session, "_MOVE_FIRST_S", 0.05)
    patch.setattr(telling, "_LOOK_S", 0.3)
    patch.setattr(node, "HOST_PATIENCE_S", 0.5)


@pytest.fixture
def hurried(monkeypatch):
    hurry(monkeypatch)
