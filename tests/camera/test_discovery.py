"""Every driver is asked for its cameras, and none that is broken keeps the others from answering."""

import textwrap

import pytest

from camera import discovery
from camera.discovery import Found, Looked, discover

DRIVERS = {
    "well": """
        print("a library's greeting, which is no answer")
        def discover(timeout_s):
            from camera.discovery import Found, Looked
            settings = {"driver": "well", "settings": [["Gain", 1.5]]}
            return Looked("well", (Found("well", "cam-1", "Model", "0815", "192.0.2.7", settings),))
    """,
    "crashing": """
        import os
        def discover(timeout_s): os.abort()
    """,
    "raising": """
        def discover(timeout_s): raise OSError("the library does not like this bus")
    """,
    "hanging": """
        import threading
        def discover(timeout_s): threading.Event().wait()
    """,
    "missing": "import a_vendors_library",
}


@pytest.fixture
def drivers(tmp_path, monkeypatch):
    """name -> module, each of them a real one in a folder of its own."""
    for name, text in DRIVERS.items():
        (tmp_path / f"looking_{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return {name: f"looking_{name}" for name in DRIVERS}


def test_a_driver_that_hangs_is_ended(drivers, monkeypatch):
    monkeypatch.setattr(discovery, "_START_S", 0.5)
    (looked,) = discover(0.2, {"hanging": drivers["hanging"]})
    assert looked.problem == "driver hanging was given 0.2 s to look, did not come back, and was ended"


def test_drivers_that_crash_or_are_missing_are_sentences_and_the_others_answer(drivers):
    drivers.pop("hanging")
    told = []
    looked = discover(0.2, drivers, told.append)
    by_name = {one.driver: one for one in looked}
    assert {one.driver for one in told} == set(drivers)
    assert [one.driver for one in looked] == list(drivers)
    assert by_name["well"] == Looked(
        "well",
        (Found("well", "cam-1", "Model", "0815", "192.0.2.7", {"driver": "well", "settings": [["Gain", 1.5]]}),),
    )
    assert "signal 6" in by_name["crashing"].problem
    assert "the library does not like this bus" in by_name["raising"].problem
    assert "a_vendors_library" in by_name["missing"].problem


def test_every_driver_of_ours_that_looks_can_be_asked():
    for one in discover(1.0):
        assert "crashed" not in one.problem
        assert one.driver in discovery.LOOKING
