"""Rows taken from TensorFlow Serving's own tests, where they are at hand beside the checkout."""

import json
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest
from serving.doubles import Bench, HandManager

from appliance.serving import (
    All,
    FileSystemSource,
    HarnessState,
    Latest,
    Load,
    LoadCancelled,
    LoadError,
    ManagerState,
    Resource,
    ResourceAllocation,
    ResourceTracker,
    ServableId,
    Specific,
    UnknownResource,
    Unload,
    WatchedServable,
    availability_preserving,
    resource_preserving,
)
from appliance.serving.harness import Harness
from appliance.serving.policy import AspiredVersion
from appliance.serving.state import TRANSITIONS

CASES = Path(__file__).parents[2].parent / "shared" / "conformance" / "tfs_core_cases.jsonl"

POLICIES = {"availability_preserving": availability_preserving, "resource_preserving": resource_preserving}


def rows(kind):
    if not CASES.exists():
        reason = f"the conformance rows are not at hand: {CASES}"
        return [pytest.param(None, id=kind, marks=pytest.mark.skip(reason=reason))]
    read = [json.loads(line) for line in CASES.read_text().splitlines()]
    return [pytest.param(row, id=row["id"]) for row in read if row["kind"] == kind]


def state(camel):
    label = "".join("-" + letter.lower() if letter.isupper() else letter for letter in camel).lstrip("-")
    return HarnessState(label)


@pytest.mark.parametrize("row", rows("policy"))
def test_policy(row):
    versions = [
        AspiredVersion(ServableId("m", each["version"]), state(each["state"]), each["is_aspired"])
        for each in row["snapshots"]
    ]
    action = POLICIES[row["policy"]](versions)
    if row["expect"] is None:
        assert action is None
    else:
        kind = {"load": Load, "unload": Unload}[row["expect"]["action"]]
        assert action == kind(ServableId("m", row["expect"]["version"]))


@pytest.mark.parametrize("row", rows("harness"))
def test_harness(row):
    if "legal_transitions" in row:
        ours = {(before, after) for before, all_after in TRANSITIONS.items() for after in all_after}
        assert ours == {(state(before), state(after)) for before, after in row["legal_transitions"]}
        return
    harness = Harness(ServableId("m", 1), Bench().loader(), lambda: datetime.now(timezone.utc))
    harness.state = state(row["state"])
    call = {"LoadRequested": harness.request_load, "UnloadRequested": harness.request_unload}[row["call"]]
    with pytest.raises(RuntimeError, match=row["expect_contains"]):
        call()


@pytest.mark.parametrize("row", rows("retry"))
def test_retry(row):
    hand = HandManager(max_load_retries=row.get("max_num_load_retries", 5), load_retry_interval_s=0)
    outcomes = [None if result == "OK" else LoadError(result) for result in row["load_results"]]

    def cancel():
        if row.get("cancel_after_first") or row.get("cancel_during_successful_load"):
            hand.aspire("m", {})
            hand.manager.step()

    loader = hand.bench.loader(outcomes=outcomes, during_load=cancel)
    hand.manager.aspire("m", {1: loader})
    for _ in range(3):
        hand.settle()
    final = hand.state("m", 1)
    expected = {"Ready": ManagerState.AVAILABLE, "Error": ManagerState.END}[row["expect"]]
    assert final.manager_state is expected
    assert loader.attempts == row.get("expect_load_calls", 1)
    assert hand.bench.unloads == row.get("expect_unload_calls", 0)
    if row.get("expect_code") == "CANCELLED":
        assert isinstance(final.error, LoadCancelled)
        assert row["expect_contains"] in str(final.error)


# --- manager: each row is a story; here is where it is told -------------------------------------------------------

STORIES = {
    "mgr-swap": "test_available_is_said_only_when_everyone_who_asks_for_the_latest_gets_it",
    "mgr-handle-pins": "test_a_borrowed_version_is_not_unloaded_until_it_is_given_back",
    "mgr-reaspire": "test_a_version_on_its_way_out_is_loaded_again_only_when_it_has_gone",
    "mgr-reaspire-failed": "test_a_failed_version_that_was_withdrawn_and_wished_again_is_loaded",
    "mgr-reaspire-new": "test_a_version_that_was_withdrawn_before_it_began_is_never_loaded",
    "mgr-prefer-unload": "test_one_action_is_begun_per_step_and_unloads_go_first",
    "mgr-revert": "test_going_back_to_a_version_that_has_gone_loads_it_before_the_newer_one_goes",
    "mgr-error-keeps-old": "test_an_error_in_a_loaders_place_ends_that_version_and_harms_no_other",
    "mgr-version-zero": "test_available_is_said_only_when_everyone_who_asks_for_the_latest_gets_it",
}


@pytest.mark.parametrize("row", rows("manager"))
def test_manager(row):
    told = Path(__file__).with_name("test_manager.py").read_text()
    assert f"def {STORIES[row['id']]}(" in told


# --- file system source -------------------------------------------------------------------------------------------


def version_policy(spec):
    if spec is None:
        return Latest()
    if "latest" in spec:
        return Latest(spec["latest"].get("num_versions", 0) or 1)
    return Specific(frozenset(spec["specific"]["versions"])) if "specific" in spec else All()


@pytest.mark.parametrize("row", rows("fs_source"))
def test_fs_source(row, tmp_path):
    aspired = []
    base = tmp_path / "s"

    def source(name="s", **settings):
        watched = WatchedServable(name, base, version_policy(row.get("policy")))
        settings = {"unload_when_empty": True, **settings}
        return FileSystemSource([watched], lambda _, path: path.name, lambda *wish: aspired.append(wish), **settings)

    if row["id"] == "fs-missing-base":
        looking = source()
        looking.poll()
        assert aspired == []
        (base / "1").mkdir(parents=True)
        looking.poll()
        assert aspired == [("s", {1: "1"})]
    elif row["id"] == "fs-poll-once":
        (base / "1").mkdir(parents=True)
        source(poll_interval_s=0).run(threading.Event())
        assert len(aspired) == row["expect_callbacks"]
    elif row["id"] == "fs-poll-period-change":
        with pytest.raises(TypeError):
            source().update([], poll_interval_s=2)
    elif row["id"] == "fs-servable-removed":
        (base / "1").mkdir(parents=True)
        watched = {name: WatchedServable(name, base) for name in ("s0", "s1", "s2")}
        looking = FileSystemSource(
            [watched[name] for name in row["initial"]], lambda _, path: path.name, lambda *wish: aspired.append(wish)
        )
        looking.poll()
        aspired.clear()
        looking.update([watched[name] for name in row["updated"]])
        assert aspired == [("s0", {})]
        looking.poll()
        assert [name for name, _ in aspired[1:]] == ["s1", "s2"]
    else:
        looking = source(unload_when_empty=not row.get("servable_versions_always_present", False))
        for name in row.get("previous", []):
            (base / name).mkdir(parents=True)
            looking.poll()
            (base / name).rmdir()
        aspired.clear()
        base.mkdir(exist_ok=True)
        for name in row["children"]:
            (base / name).mkdir()
        looking.poll()
        if row["expect_aspired"] == "NO_CALLBACK":
            assert aspired == []
            return
        ((_, wish),) = aspired
        if row["expect_aspired"] is None:
            assert list(wish) == row["expect_versions"]
        elif row.get("ordered"):
            assert list(wish.items()) == [tuple(each) for each in row["expect_aspired"]]
        else:
            assert wish == dict(row["expect_aspired"])


# --- resources ----------------------------------------------------------------------------------------------------


def allocation(spec):
    def resource(text):
        device, _, instance = text.partition(":")
        # "main" has one instance: TensorFlow Serving calls it 0
        return Resource(device, int(instance) if instance else None, "ram")

    return ResourceAllocation({resource(text): quantity for text, quantity in spec.items()})


@pytest.mark.parametrize("row", rows("resource_tracker"))
def test_resource_tracker(row):
    if row.get("expect") == "create fails":
        with pytest.raises(UnknownResource):
            ResourceTracker(allocation(row["total"]))
        return
    tracker = ResourceTracker(allocation(row["total"]))
    if "expect_reserved" not in row:
        with pytest.raises(UnknownResource):
            tracker.reserve(allocation(row["request"]))
        with pytest.raises(UnknownResource):
            tracker.recompute([allocation(row["request"])])
        return
    tracker.recompute([allocation(used) for used in row["used"]])
    assert tracker.reserve(allocation(row["request"])) is row["expect_reserved"]
