"""A database that Mosquitto cannot read is put aside, and the broker starts; a good one is left alone."""

import os
import shutil
import subprocess
from contextlib import closing

import pytest
from broker.plant import BASE, DEPLOY, Plant

RETAINED = f"{BASE}/availability"


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A broker that has ended, with a durable reader's 200 messages and a retained one in its database."""
    plant = Plant(tmp_path_factory.mktemp("plant"))
    plant.account("station", "box1", BASE)
    plant.account("reader", "historian")
    plant.start()
    with closing(plant.client("historian", expiry_s=3600)) as historian:
        historian.subscribe(f"{BASE}/+/result")
    with closing(plant.client("box1")) as box:
        box.publish(RETAINED, b"online", retain=True)
        box.publish_many(f"{BASE}/top/result", 200)
    plant.stop()
    return plant, (plant.state / "mosquitto.db").read_bytes()


@pytest.fixture
def saved(ended):
    """The same again for each test."""
    plant, database = ended
    program = plant.program
    shutil.rmtree(plant.state)
    plant.state.mkdir()
    (plant.state / "mosquitto.db").write_bytes(database)
    yield plant
    plant.stop()
    plant.program = program


def check(plant, **environment):
    done = subprocess.run(
        [DEPLOY / "check-database", plant.state, plant.program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stderr


def names(plant):
    return sorted(one.name for one in plant.state.iterdir())


def test_a_good_database_is_left_as_it_is(saved):
    database = saved.state / "mosquitto.db"
    before = database.read_bytes()
    (saved.state / "mosquitto.db.new").write_bytes(b"half a save")
    assert check(saved) == ""
    assert names(saved) == ["mosquitto.db"]
    assert database.read_bytes() == before
    saved.start()
    with closing(saved.client("historian", expiry_s=3600)) as historian:
        historian._wait(lambda: len(historian.heard) == 200, "what waited")


@pytest.mark.parametrize("tear", [lambda whole: whole[:10], lambda whole: whole[:-1], lambda whole: b"\xa5" * 4096])
def test_a_torn_one_is_put_aside_said_and_the_broker_starts(tear, saved):
    database = saved.state / "mosquitto.db"
    torn = tear(database.read_bytes())
    database.write_bytes(torn)
    with pytest.raises(AssertionError, match="Error"):
        saved.start()  # this is what it is for
    said = check(saved)
    (aside,) = saved.state.glob("mosquitto.db.bad-*")
    assert aside.read_bytes() == torn
    assert f"{database} is damaged" in said
    assert aside.name in said
    assert "cmd/replay" in said
    saved.start()
    with closing(saved.client("box1")) as box:
        assert box.publish(RETAINED, b"online", retain=True) in ("Success", "No matching subscribers")


def test_only_the_newest_two_are_kept(saved):
    for day in ("20260101", "20260102", "20260103"):
        (saved.state / f"mosquitto.db.bad-{day}T000000Z").write_bytes(b"")
    (saved.state / "mosquitto.db").write_bytes(b"no database")
    check(saved)
    assert len(names(saved)) == 2
    assert "mosquitto.db.bad-20260103T000000Z" in names(saved)


def test_where_mosquitto_does_not_start_for_another_reason_nothing_is_put_aside(saved, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    broken.chmod(0o755)
    saved.program = str(broken)
    assert "does not start even without a database" in check(saved)
    assert names(saved) == ["mosquitto.db"]


def test_a_database_that_takes_too_long_is_left_alone(saved, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    saved.program = str(slow)
    assert "was left alone" in check(saved, CHECK_DATABASE_S="1")
    assert names(saved) == ["mosquitto.db"]


def test_without_a_database_there_is_nothing_to_do(saved):
    (saved.state / "mosquitto.db").unlink()
    assert check(saved) == ""
    assert names(saved) == []
