"""Damage of the disk: what serves is whole, and what was lost is said."""

import re

import pytest
from registry.store.packages import content_of, deploy, package

from appliance.registry.errors import StoreError
from appliance.registry.store.view import StoreView


@pytest.fixture
def damaged(store):
    """Release 1, then 2; what the test does to the closed store is seen by the next `open`."""
    for release in (1, 2):
        deploy(store, release)
        store.activate(release)

    def again(damage):
        damage(store.folder)
        store.close()
        return store.open()

    store.again = again
    return store


def break_release(release):
    def damage(folder):
        (folder / "versions" / str(release) / "saved_model.pb").unlink()

    return damage


def shorten(folder):
    path = folder / "versions" / "2" / "saved_model.pb"
    path.chmod(0o644)
    path.write_bytes(b"short")


def break_record(folder):
    path = folder / "versions" / "2.json"
    path.write_bytes(path.read_bytes().replace(b"102", b"103"))


def dangle(folder):
    (folder / "current").unlink()
    (folder / "current").symlink_to("versions/77")


def climb(folder):
    (folder / "current").unlink()
    (folder / "current").symlink_to("/etc")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_release(2), r"release 2 is not whole \(saved_model.pb is missing\)"),
        (shorten, r"release 2 is not whole \(saved_model.pb has 5 bytes instead of"),
        (break_record, r"release 2 is not whole \(its record is damaged\)"),
        (dangle, r"release 77 is not whole \(it is not there\)"),
        (climb, "it is no link to a release"),
        (lambda folder: (folder / "current").unlink(), "there was no current"),
    ],
)
def test_the_one_before_serves_when_current_is_not_whole(damaged, damage, words):
    recovered = damaged.again(damage)
    assert recovered.fell_back
    assert recovered.sentences[0].startswith("current is 1 now, which was previous: ")
    assert re.search(words, recovered.sentences[0])
    assert damaged.current.release == 1
    assert damaged.previous is None
    assert content_of(damaged.current.folder) == package(1)
    assert [entry.name for entry in (damaged.folder / "serving").iterdir()] == ["101"]
    assert damaged.again(lambda _folder: None).sentences == (), "it is said once"


def test_then_the_factorys(damaged):
    recovered = damaged.again(lambda folder: [break_release(release)(folder) for release in (1, 2)])
    assert recovered.fell_back
    assert recovered.sentences[0].startswith("current is 0-")
    assert len(recovered.sentences) == 4, "current, previous, and the two that are removed"
    assert damaged.current == damaged.factory
    assert [held.release for held in damaged.releases()] == [0]


def test_then_nothing_and_a_repeat_of_the_adoption_helps(damaged, factory_folder):
    digest, name = damaged.factory.digest, damaged.factory.folder.name
    recovered = damaged.again(lambda folder: [break_release(release)(folder) for release in (1, 2, name)])
    assert recovered.sentences[0].startswith("current names nothing now, and no other release is whole")
    assert damaged.current is None
    damaged.adopt_factory(factory_folder, 1, digest)
    assert damaged.current.release == 0
    damaged.check(0)


def test_a_lost_previous_is_said(damaged):
    recovered = damaged.again(break_release(1))
    assert not recovered.fell_back
    assert recovered.sentences[0].startswith("previous names nothing now: release 1 is not whole")
    assert (damaged.current.release, damaged.previous) == (2, None)


def test_a_release_that_is_not_whole_can_be_deployed_again(damaged):
    damaged.again(break_release(2))
    deploy(damaged, 2)
    damaged.activate(2)
    damaged.check(2)


def test_a_damaged_journal_begins_anew_and_says_so(damaged):
    damaged.journal.save("deployment", {"id": "7"})
    path = damaged.folder / "journal" / "deployment.json"
    path.write_bytes(path.read_bytes().replace(b"7", b"8"))
    assert damaged.journal.load("deployment") is None
    assert any("was damaged (deployment)" in one for one in damaged.troubles())


def test_the_line_is_told_what_it_cannot_have(damaged):
    view = StoreView(damaged.folder)
    break_record(damaged.folder)
    with pytest.raises(StoreError, match=r"2\.json is damaged; start delivery again"):
        view.current()
    dangle(damaged.folder)
    with pytest.raises(StoreError, match="names a release that is not there; start delivery again"):
        view.current()
