"""What operators ask is done once, is seen, and is in the audit log; what makes no sense is refused with a sentence."""

import pytest
from delivery.publisher import Publisher
from delivery.rig import PlayedCandidate, Rig
from running import until

from appliance.delivery.candidate import Trouble
from appliance.delivery.commands import Commands
from appliance.steering.requests import Request, Verb


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def box(tmp_path, publisher, monkeypatch):
    """Makes boxes, with the settings of a test."""
    running = []

    def make(**delivery) -> Rig:
        rig = Rig(tmp_path, publisher, monkeypatch, **delivery)
        running.append(rig)
        rig.__enter__()
        rig.commands = Commands("test-box", {"surface": rig.delivery})
        return rig

    yield make
    for rig in running:
        rig.__exit__()


def ask(rig: Rig, verb: Verb, key: str | None = None, **body):
    return rig.commands.handle(Request(verb, "surface", body, who="anna", source="rest 10.0.0.7", key=key))


def model_of(rig: Rig) -> dict:
    return rig.commands.document()["models"]["surface"]


def waits_for(rig: Rig, what: str) -> dict:
    def found():
        live = rig.delivery.courier.live
        return live.as_json() if live is not None and live.waiting_for == what else None

    return until(found, f"a deployment that waits for {what}", 20)


def test_nothing_begins_while_paused_and_all_goes_on_when_resumed(box, publisher):
    rig = box()
    assert ask(rig, Verb.PAUSE).status == 200
    publisher.publish(publisher.package(1))
    waits_for(rig, "pause")
    assert model_of(rig)["flags"]["paused"]
    assert "anna" in model_of(rig)["flag_details"]["paused"]
    ask(rig, Verb.RESUME)
    assert rig.ended(1)["state"] == "success"


def test_a_pinned_release_stays(box, publisher):
    rig = box()
    assert ask(rig, Verb.PIN).body == {"model": "surface", "pinned": 0}
    publisher.publish(publisher.package(1))
    waits_for(rig, "pin")
    assert set(rig.line.served) == {0}
    assert ask(rig, Verb.PIN, release=9).status == 409
    ask(rig, Verb.UNPIN)
    assert rig.ended(1)["state"] == "success"


def test_a_candidate_waits_for_a_person_where_one_is_asked_for(box, publisher):
    rig = box(approve=True)
    publisher.publish(publisher.package(1))
    waiting = waits_for(rig, "approval")
    assert waiting["reports"]["shadow"]["passed"]
    assert 1 not in rig.line.served
    assert ask(rig, Verb.APPROVE, id=waiting["id"]).status == 200
    ended = rig.ended(1)
    assert (ended["state"], ended["approved_by"]) == ("success", "anna")


def test_a_deployment_is_canceled_before_the_switch_and_leaves_nothing(box, publisher):
    rig = box(approve=True)
    publisher.publish(publisher.package(1))
    waiting = waits_for(rig, "approval")
    answer = ask(rig, Verb.CANCEL, id=waiting["id"])
    assert (answer.status, answer.body["state"]) == (200, "canceled")
    until(lambda: rig.delivery.courier.live is None, "it to be put away", 10)
    assert ask(rig, Verb.CANCEL).status == 409
    assert set(rig.line.served) == {0}


def test_a_rollback_goes_to_the_release_before_and_the_source_does_not_bring_it_back(box, publisher):
    rig = box()
    publisher.publish(publisher.package(1))
    rig.ended(1)
    answer = ask(rig, Verb.ROLLBACK)
    assert answer.status == 202
    ended = until(lambda: next((one for one in rig.delivery.records.history() if one["id"] == answer.body["id"]), None),
                  "the rollback", 20)  # fmt: skip
    assert ended["state"] == "rolled_back"
    assert rig.delivery.store.current.release == 0
    rig.delivery.watcher.look_now()
    seen = rig.delivery.watcher.last_looked
    until(lambda: rig.delivery.watcher.last_looked != seen, "another look at the source", 20)
    assert rig.delivery.courier.live is None
    assert ask(rig, Verb.ROLLBACK).status == 409


def test_a_rollback_in_probation_is_the_end_of_that_deployment(box, publisher):
    rig = box(probation={"parts": 1_000_000, "at_least_s": 60})
    publisher.publish(publisher.package(1))
    until(lambda: (live := rig.delivery.courier.live) and live.state.value == "probation", "probation", 20)
    assert ask(rig, Verb.ROLLBACK).status == 202
    ended = rig.ended(1)
    assert (ended["state"], ended["reason"]) == ("rolled_back", "operator")
    assert "anna" in ended["detail"]


def test_a_release_that_this_box_holds_is_started_again_without_its_registry(box, publisher):
    rig = box()
    for release in (1, 2):
        publisher.publish(publisher.package(release))
        rig.ended(release)
    for path in publisher.registry.glob("*.json"):
        path.unlink()
    answer = ask(rig, Verb.CREATE, key="back-to-1", release=1)
    assert answer.status == 202
    again = ask(rig, Verb.CREATE, key="back-to-1", release=1)
    assert (again.status, again.body["id"]) == (200, answer.body["id"])
    assert ask(rig, Verb.CREATE, key="back-to-1", release=2).status == 409
    ended = until(lambda: next((one for one in rig.delivery.records.history() if one["id"] == answer.body["id"]), None),
                  "release 1 to serve again", 20)  # fmt: skip
    assert (ended["state"], ended["bytes_fetched"]) == ("success", 0)
    assert rig.delivery.store.current.release == 1


def test_what_failed_is_tried_again_by_force(box, publisher):
    rig = box()
    PlayedCandidate.opinions["1"] = Trouble("accepting", "escapes", "It passes a scratch.")
    publisher.publish(publisher.package(1))
    failed = rig.ended(1)
    PlayedCandidate.opinions.clear()
    answer = ask(rig, Verb.CREATE, key="once-more", digest=failed["identity"], force=True)
    assert answer.status == 202
    until(lambda: rig.delivery.store.current.release == 1, "it to serve", 20)


def test_where_operators_decide_what_the_source_shows_is_only_shown(box, publisher):
    rig = box(follow="desired")
    publisher.publish(publisher.package(1))
    until(lambda: model_of(rig)["update_available"], "the new release to be shown", 20)
    assert rig.delivery.courier.live is None
    ask(rig, Verb.CREATE, key="now", tag="latest")
    assert rig.ended(1)["state"] == "success"


def test_a_newer_wish_takes_the_place_of_one_that_proves_itself(box, publisher):
    rig = box(shadow={"parts": 1_000_000, "at_least_s": 60})
    publisher.publish(publisher.package(1))
    until(lambda: (live := rig.delivery.courier.live) and live.state.value == "shadowing", "the shadow", 20)
    publisher.publish(publisher.package(2))
    ended = rig.ended(1)
    assert ended["state"] == "superseded"
    until(lambda: (live := rig.delivery.courier.live) and live.release == 2, "release 2 to be under way", 20)


def test_when_what_serves_is_revoked_the_last_good_one_comes_back(box, publisher):
    rig = box()
    publisher.publish(publisher.package(1))
    first = rig.ended(1)
    PlayedCandidate.opinions["2"] = Trouble("accepting", "golden", "Not good enough.")
    publisher.publish(publisher.package(2, revokes=[first["digest"]]))
    rig.ended(2)
    assert model_of(rig)["flags"]["revoked"]
    rig.delivery.leave_revoked()
    until(lambda: rig.delivery.store.current.release == 0, "the factory's model to serve", 20)
    assert rig.line.served[-1] == 0


def test_every_change_is_in_the_audit_log_with_who_and_from_where(box, publisher):
    rig = box()
    ask(rig, Verb.PAUSE)
    ask(rig, Verb.RESUME)
    publisher.publish(publisher.package(1))
    rig.ended(1)
    entries = rig.commands.handle(Request(Verb.AUDIT, "surface", {"limit": 200})).body["entries"]
    done = [(one["who"], one["source"], one["verb"]) for one in reversed(entries)]
    assert done[0] == ("anna", "rest 10.0.0.7", "pause")
    assert ("box", "source", "wanted") in done
    states = [one["state"] for one in reversed(entries) if one["verb"] == "moved"]
    assert states == [
        "downloading", "verifying", "staged", "loading", "accepting", "shadowing", "activating", "probation", "success",
    ]  # fmt: skip


@pytest.mark.parametrize(("verb", "model"), [(Verb.PAUSE, "other"), (Verb.ROLLBACK, "other")])
def test_a_model_that_is_not_delivered_here_is_refused_by_name(box, verb, model):
    answer = box().commands.handle(Request(verb, model))
    assert answer.status == 404
    assert "surface" in answer.body["error"]
