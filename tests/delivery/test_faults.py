"""The world goes wrong: networks, disks, lines that restart. What serves goes on serving."""

import shutil
from dataclasses import replace

import pytest
from delivery.publisher import Publisher
from delivery.rig import PlayedCandidate, PlayedLine, Rig
from running import until

from appliance.delivery.candidate import Trouble
from appliance.registry.errors import NoSpace


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


def test_a_source_that_is_away_is_asked_again_until_it_is_back(tmp_path, publisher, monkeypatch):
    publisher.publish(publisher.package(1))
    hidden = publisher.registry.rename(tmp_path / "hidden")
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        until(lambda: rig.delivery.watcher.problem, "the box to say that its source is away", 20)
        assert "latest.json" in rig.delivery.watcher.problem or str(publisher.registry) in rig.delivery.watcher.problem
        hidden.rename(publisher.registry)
        assert rig.ended(1)["state"] == "success"
        assert rig.delivery.watcher.problem is None


def test_a_full_disk_ends_the_deployment_and_nothing_else(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch) as rig:

        def full(_count):
            raise NoSpace("427 kB are needed and 3 kB are free; free some.")

        monkeypatch.setattr(rig.delivery.store, "reserve", full)
        publisher.publish(publisher.package(1))
        ended = rig.ended(1)
        assert (ended["state"], ended["reason"]) == ("failed", "disk_full")
        assert "free some" in ended["detail"]
        monkeypatch.undo()
        monkeypatch.setattr("appliance.delivery.model.Candidate", type(rig).__init__.__globals__["PlayedCandidate"])
        again = rig.next_end(lambda: publisher.publish(publisher.package(2, version=2)))
        assert again["state"] == "success", "it says nothing against the content"


def test_a_line_that_cannot_load_the_candidate_keeps_what_it_has(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        rig.line.unloadable.add(1)
        publisher.publish(publisher.package(1))
        ended = rig.ended(1)
        assert (ended["state"], ended["reason"]) == ("failed", "load_error")
        assert set(rig.line.served) == {0}


def test_a_line_that_loses_the_candidate_at_the_switch_gets_the_release_before_at_once(
    tmp_path, publisher, monkeypatch
):
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        rig.line.breaks_as_current.add(1)
        publisher.publish(publisher.package(1))
        ended = rig.ended(1)
        assert (ended["state"], ended["reason"]) == ("rolled_back", "not_running")
        assert "cannot load it" in ended["detail"]
        assert set(rig.line.served) == {0}


def test_a_candidate_whose_process_dies_is_tried_three_times(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        PlayedCandidate.opinions["1"] = Trouble("loading", "crashed", "Its process ended with signal 11.")
        publisher.publish(publisher.package(1))
        assert rig.ended(1)["state"] == "failed"
        assert PlayedCandidate.started == ["1", "1", "1"]


def test_a_line_that_restarts_again_and_again_in_probation_gets_the_release_before(tmp_path, publisher, monkeypatch):
    """The candidate may be what ends it."""
    settings = {"probation": {"parts": 1_000_000, "at_least_s": 60, "restarts": 1}}
    publisher.publish(publisher.package(1))
    for life in range(3):
        line = PlayedLine(tmp_path / "state" / "models" / "surface", f"2026-11-21T00:00:0{life}.000Z")
        with Rig(tmp_path, publisher, monkeypatch, line=line, **settings) as rig:
            until(
                lambda rig=rig, life=life: (
                    any(one["state"] == "rolled_back" for one in rig.delivery.records.history())
                    or (
                        (live := rig.delivery.courier.live)
                        and live.state.value == "probation"
                        and live.restarts == life
                    )
                ),
                "probation, or its end",
                20,
            )
    with Rig(tmp_path, publisher, monkeypatch, **settings) as rig:
        ended = rig.ended(1)
        assert (ended["state"], ended["reason"]) == ("rolled_back", "restarts")
        assert rig.delivery.store.current.release == 0


def test_a_release_that_cannot_be_gone_back_from_serves_on_and_says_so(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        rig.line.misbehaves[1] = {"late": 3}
        rig.line.unloadable.add(0)
        publisher.publish(publisher.package(1))
        ended = rig.ended(1, 60)
        assert ended["state"] == "rollback_failed"
        assert "Release 1 serves on" in ended["detail"]
        assert rig.delivery.store.current.release == 1


def test_facts_outlive_the_process(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        publisher.publish(publisher.package(4))
        rig.ended(4)
        rig.delivery.records.learn(lambda facts: replace(facts, paused="anna"))
        shutil.rmtree(publisher.registry / "4")
    with Rig(tmp_path, publisher, monkeypatch) as rig:
        facts = rig.delivery.records.facts
        assert (facts.release_floor, facts.paused, facts.proven) == (4, "anna", (4,))
