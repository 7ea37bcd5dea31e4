"""Each fsync wears flash and waits for it: how many there are is part of the promise."""

import os

import pytest
from registry.store.packages import digest, fetch, listed, package


@pytest.fixture
def fsyncs(monkeypatch):
    counted, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (counted.append(descriptor), real(descriptor)))

    def since():
        number = len(counted)
        counted.clear()
        return number

    return since


def test_each_act_has_few(store, fsyncs):
    content = package(1)
    fetch(store, content)
    assert fsyncs() == 2 * len(content), "a file and its folder"
    store.stage(1, listed(content))
    assert fsyncs() == 2, "each folder: the release's, and variables"
    store.publish(1, 1, digest(content))
    assert fsyncs() == 3, "the record, its folder, and that again for the rename"
    store.activate(1)
    assert fsyncs() == 3
    store.activate(1)
    assert fsyncs() == 0
    store.back()
    assert fsyncs() == 2
    store.journal.save("facts", {})
    assert fsyncs() == 2
    store.audit.append("anna", "cli", "pin", "surface")
    fsyncs()
    store.audit.append("anna", "cli", "pin", "surface")
    assert fsyncs() == 1
    store.close()
    store.open()
    assert fsyncs() == 1
