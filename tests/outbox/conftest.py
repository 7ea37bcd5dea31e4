"""An outbox, a broker and a publisher that end with their test."""

import threading
from contextlib import closing

import pytest
from outbox.brokers import BASE, DURABLE, Broker, Listener
from outbox.messages import Record

from appliance.mqtt import link
from appliance.mqtt.config import MqttConfig
from appliance.outbox.sender import hold
from appliance.outbox.sender.publisher import Publisher
from appliance.outbox.store import Outbox


@pytest.fixture(autouse=True)
def no_outbox_thread_outlives_its_test():
    yield
    ours = {"outbox-writer", "mqtt-publisher"}
    assert [thread.name for thread in threading.enumerate() if thread.name in ours] == []


@pytest.fixture(autouse=True)
def brokers_are_tried_again_soon(monkeypatch):
    """A tenth of a second instead of one before the second attempt: what is tested is not how long it waits."""
    monkeypatch.setattr(link, "_RETRY_FIRST_S", 0.1)
    monkeypatch.setattr(hold, "_RETRY_FIRST_S", 0.3)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def open_outbox(folder):
    """Open one with `open_outbox(**changes)`; `.record` knows what it recorded."""
    opened = []

    def build(**changes):
        where = changes.pop("folder", folder)
        record = Record(where)
        changes.setdefault("max_bytes", 64 * 1024**2)
        outbox = Outbox(where, on_recorded=record, **changes)
        outbox.record = record
        opened.append(outbox)
        outbox.start()
        return outbox

    yield build
    for outbox in opened:
        outbox.close(1.0)
        outbox.record.close()


@pytest.fixture(autouse=True)
def no_broker_outlives_its_test():
    yield
    Broker.stop_all()


@pytest.fixture
def broker(tmp_path):
    return Broker(tmp_path / "broker", settings="allow_anonymous true\n" + DURABLE).start()


@pytest.fixture
def listener(broker):
    with closing(Listener(broker)) as one:
        yield one


@pytest.fixture
def publish(folder):
    """Start a publisher with `publish(broker, **changes of the settings)`."""
    started = []

    def build(broker, **changes):
        publisher = Publisher(folder, settings(broker, **changes), "box1")
        started.append(publisher)
        publisher.start()
        return publisher

    yield build
    for publisher in started:
        publisher.stop(0.0)


def settings(broker, **changes):
    return MqttConfig(**{"host": "127.0.0.1", "port": broker.port, "base_topic": BASE, **changes})
