"""The ways a release may take through a box: to success, or to an end with its reason, and nothing else served."""

import pytest
from delivery.publisher import Publisher
from delivery.rig import PlayedCandidate, Rig

from appliance.delivery.candidate import Trouble
from appliance.runtimes.digest import digest_of
from appliance.serving import FileSystemSource, Latest, WatchedServable


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def rig(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch) as running:
        yield running


def test_a_release_is_fetched_proven_and_served(rig, publisher):
    publisher.publish(publisher.package(1))
    ended = rig.ended(1)
    assert ended["state"] == "success"
    assert ended["digest"] == rig.delivery.store.current.digest
    assert ended["reports"]["acceptance"]["passed"]
    assert ended["reports"]["shadow"]["passed"]
    assert ended["reports"]["probation"]["running_digest"] == ended["digest"]
    assert [path.name for path in (rig.store_folder / "serving").iterdir()] == ["2"]
    assert rig.line.served[-1] == 1


def test_what_serves_can_be_read_by_any_model_server(rig, publisher):
    """`serving` is a base_path in TensorFlow Serving's layout, with what is current and nothing else."""
    publisher.publish(publisher.package(1))
    rig.ended(1)
    found = {}
    watched = WatchedServable("surface", rig.store_folder / "serving", Latest(3))
    source = FileSystemSource(
        [watched], lambda new, folder: (new.version, folder), lambda _, versions: found.update(versions)
    )
    source.poll()
    assert list(found) == [2]
    assert (found[2][1] / "saved_model.pb").is_file()
    assert digest_of(found[2][1]) == rig.delivery.store.current.digest


def test_a_release_that_disappoints_in_probation_goes_back_by_itself(rig, publisher):
    publisher.publish(publisher.package(1))
    rig.ended(1)
    rig.line.misbehaves[2] = {"late": 1}
    publisher.publish(publisher.package(2))
    ended = rig.ended(2)
    assert (ended["state"], ended["reason"]) == ("rolled_back", "late")
    assert rig.delivery.store.current.release == 1
    assert rig.line.served[-1] == 1
    assert 2 in rig.line.served


@pytest.mark.parametrize(
    ("stage", "reason"), [("loading", "does_not_fit"), ("accepting", "golden"), ("shadowing", "not_finite")]
)
def test_a_release_that_fails_beside_the_line_never_serves(rig, publisher, stage, reason):
    PlayedCandidate.opinions["1"] = Trouble(stage, reason, "It is not good enough.")
    publisher.publish(publisher.package(1))
    ended = rig.ended(1)
    assert (ended["state"], ended["reason"]) == ("failed", reason)
    assert set(rig.line.served) == {0}
    assert 1 not in rig.line.loaded


def test_what_failed_is_not_tried_again_unless_it_is_forced(rig, publisher):
    PlayedCandidate.opinions["1"] = Trouble("accepting", "golden", "It is not good enough.")
    publisher.publish(publisher.package(1))
    rig.ended(1)
    PlayedCandidate.opinions.clear()
    again = rig.next_end(lambda: publisher.publish(_as_release(publisher, 2, like=1)))
    assert (again["state"], again["reason"]) == ("failed", "failed_before")
    assert PlayedCandidate.started == ["1"]


def _as_release(publisher, release, like):
    """The same content under another number."""
    return publisher.package(release, version=like + 1)
