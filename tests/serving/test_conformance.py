"""Rows taken from TensorFlow Serving's own tests, where they are at hand beside the checkout."""

import json
import re
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest
from serving import test_manager, test_manager_wishes
from serving import test_manager_failures as failures
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


COMMON = {"kind", "id", "source", "note", "tier"}


def knows(row, fields):
    """A field that is not looked at would be a check that is not made."""
    unknown = row.keys() - fields - COMMON
    assert not unknown, f"the row says {sorted(unknown)}, and nothing here looks at it"


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
    requests = {"LoadRequested": harness.request_load, "UnloadRequested": harness.request_unload}
    call = requests.get(row["call"], lambda: harness.move(state(row["call"])))
    if row.get("expect_code", "OK") == "OK":
        call()
        assert harness.state is state(row["call"])
    else:
        with pytest.raises(RuntimeError, match=re.escape(row.get("expect_contains", ""))):
            call()
        assert harness.state is state(row["state"]), "nothing moved"


RETRYING = {
    "max_num_load_retries",
    "load_results",
    "cancel_after_first",
    "cancel_during_successful_load",
    "expect",
    "expect_code",
    "expect_contains",
    "expect_load_calls",
    "expect_unload_calls",
}


@pytest.mark.parametrize("row", rows("retry"))
def test_retry(row):
    knows(row, RETRYING)
    hand = HandManager(max_load_retries=row.get("max_num_load_retries", 5), load_retry_interval_s=0)
    outcomes = [None if result == "OK" else LoadError(result) for result in row["load_results"]]

    def cancel():
        is_last = loader.attempts == len(row["load_results"])
        if row.get("cancel_after_first") or (row.get("cancel_during_successful_load") and is_last):
            hand.aspire("m", {})
            hand.manager.step()

    loader = hand.bench.loader(outcomes=outcomes, during_load=cancel)
    hand.manager.aspire("m", {1: loader})
    for _ in range(len(outcomes) + 2):
        hand.settle()
    final = hand.state("m", 1)
    expected = {"Ready": ManagerState.AVAILABLE, "Error": ManagerState.END}[row["expect"]]
    assert final.manager_state is expected
    assert loader.attempts == row.get("expect_load_calls", 1)
    assert hand.bench.unloads == row.get("expect_unload_calls", 0)
    if row["expect"] == "Error":
        is_cancelled = row.get("cancel_after_first") or row.get("cancel_during_successful_load")
        assert isinstance(final.error, LoadCancelled if is_cancelled else LoadError)
        assert row.get("expect_code", "CANCELLED") == "CANCELLED" or not is_cancelled
        assert is_cancelled or str(final.error) == row["load_results"][loader.attempts - 1], "it is the last error"
        assert row.get("expect_contains", "") in str(final.error)


# --- manager: each row is a story in words; here is the test that lives through it ---------------------------------

STORIES = {
    "mgr-swap": [
        test_manager.test_available_is_said_only_when_everyone_who_asks_for_the_latest_gets_it,
        test_manager.test_a_new_version_is_loaded_beside_the_old_one_and_the_old_one_goes_afterwards,
        test_manager.test_a_version_lives_through_its_public_states_in_order,
    ],
    "mgr-handle-pins": [test_manager.test_a_borrowed_version_is_not_unloaded_until_it_is_given_back],
    "mgr-reaspire": [test_manager_wishes.test_a_version_on_its_way_out_is_loaded_again_only_when_it_has_gone],
    "mgr-reaspire-failed": [failures.test_a_failed_version_that_was_withdrawn_and_wished_again_is_loaded],
    "mgr-reaspire-new": [test_manager_wishes.test_a_version_that_was_withdrawn_before_it_began_is_never_loaded],
    "mgr-prefer-unload": [test_manager.test_one_action_is_begun_per_step_and_unloads_go_first],
    "mgr-revert": [test_manager_wishes.test_going_back_to_a_version_that_has_gone_loads_it_before_the_newer_one_goes],
    "mgr-error-keeps-old": [failures.test_an_error_in_a_loaders_place_ends_that_version_and_harms_no_other],
    "mgr-version-zero": [test_manager.test_available_is_said_only_when_everyone_who_asks_for_the_latest_gets_it],
}


@pytest.mark.parametrize("row", rows("manager"))
def test_manager_story(row):
    if row["id"] not in STORIES:
        pytest.skip(f"a story that no test of ours lives through yet: {row['steps']}")
    for live_through in STORIES[row["id"]]:
        live_through(HandManager())


# --- file system source -------------------------------------------------------------------------------------------


def version_policy(spec):
    if spec is None:
        return Latest()
    if "latest" in spec:
        return Latest(spec["latest"].get("num_versions", 0) or 1)
    return Specific(frozenset(spec["specific"]["versions"])) if "specific" in spec else All()


class Watching:
    """One file system source over folders that a row describes, and what it aspired."""

    def __init__(self, folder, row):
        self.folder = folder
        self.aspired = []
        self.policy = version_policy(row.get("policy"))
        self.source = FileSystemSource(
            self.watched(row.get("initial", ["s"])),
            lambda _, path: path.name,
            lambda *wish: self.aspired.append(wish),
            poll_interval_s=row.get("poll_wait_seconds", 1),
            unload_when_empty=not row.get("servable_versions_always_present", False),
        )

    def watched(self, names):
        return [WatchedServable(name, self.folder / name, self.policy) for name in names]

    def show(self, children, name="s"):
        """Have exactly these children."""
        base = self.folder / name
        base.mkdir(exist_ok=True)
        for child in base.iterdir():
            child.rmdir()
        for child in children:
            (base / child).mkdir()

    def poll(self):
        self.source.poll()


FS_FIELDS = {
    "base_path",
    "children",
    "expect",
    "expect_aspired",
    "expect_callbacks",
    "expect_code",
    "expect_versions",
    "initial",
    "ordered",
    "policy",
    "poll_wait_seconds",
    "previous",
    "sequence",
    "servable_versions_always_present",
    "update",
    "updated",
}


@pytest.mark.parametrize("row", rows("fs_source"))
def test_fs_source(row, tmp_path):
    knows(row, FS_FIELDS)
    watching = Watching(tmp_path, row)
    if "sequence" in row:
        sees_a_sequence(watching, row)
    elif "update" in row:
        keeps_its_settings(watching, row)
    elif "updated" in row:
        changes_what_it_watches(watching, row)
    elif "children" in row:
        sees_children(watching, row)
    else:
        misses_the_base_path(watching)


def sees_children(watching, row):
    if row.get("previous"):
        watching.show(row["previous"])
        watching.poll()
        watching.aspired.clear()
    watching.show(row["children"])
    watching.poll()
    if row["expect_aspired"] == "NO_CALLBACK":
        assert watching.aspired == []
        return
    ((_, wish),) = watching.aspired
    if row["expect_aspired"] is None:
        assert list(wish) == row["expect_versions"]
    elif row.get("ordered"):
        assert list(wish.items()) == [tuple(each) for each in row["expect_aspired"]]
    else:
        assert wish == dict(row["expect_aspired"])


def sees_a_sequence(watching, row):
    """What appears between two polls is seen; what appears after the only one is not."""
    first, *later = row["sequence"]
    watching.show(first["children"])
    is_polled_again = row["poll_wait_seconds"] > 0
    watching.poll() if is_polled_again else watching.source.run(threading.Event())
    for each in later:
        watching.show(each["children"])
        if is_polled_again:
            watching.poll()
    assert len(watching.aspired) == row["expect_callbacks"]


def keeps_its_settings(watching, row):
    """Other settings are refused by the signature itself."""
    (setting,) = row["update"]
    assert (setting, row["expect_code"]) == ("file_system_poll_wait_seconds", "INVALID_ARGUMENT")
    with pytest.raises(TypeError):
        watching.source.update([], poll_interval_s=row["update"][setting][-1])


def changes_what_it_watches(watching, row):
    for name in {*row["initial"], *row["updated"]}:
        watching.show(["1"], name)
    watching.poll()
    watching.aspired.clear()
    watching.source.update(watching.watched(row["updated"]))
    dropped = sorted(set(row["initial"]) - set(row["updated"]))
    assert watching.aspired == [(name, {}) for name in dropped]
    watching.aspired.clear()
    watching.poll()
    assert watching.aspired == [(name, {1: "1"}) for name in row["updated"]]


def misses_the_base_path(watching):
    watching.poll()
    assert watching.aspired == []
    watching.show(["1"])
    watching.poll()
    assert watching.aspired == [("s", {1: "1"})]


# --- resources ----------------------------------------------------------------------------------------------------


def allocation(spec):
    def resource(text):
        device, _, instance = text.partition(":")
        return Resource(device, int(instance) if instance else None, "ram")

    return ResourceAllocation({resource(text): quantity for text, quantity in spec.items()})


@pytest.mark.parametrize("row", rows("resource_tracker"))
def test_resource_tracker(row):
    total, devices = allocation(row["total"]), row["devices"]
    if row.get("expect") == "create fails":
        with pytest.raises(UnknownResource):
            ResourceTracker(total, devices)
        return
    tracker = ResourceTracker(total, devices)
    if "expect_reserved" not in row:
        with pytest.raises(UnknownResource):
            tracker.reserve(allocation(row["request"]))
        with pytest.raises(UnknownResource):
            tracker.recompute([allocation(row["request"])])
        return
    tracker.recompute([allocation(used) for used in row["used"]])
    before = tracker.used
    assert tracker.reserve(allocation(row["request"])) is row["expect_reserved"]
    assert (tracker.used != before) is row["expect_reserved"], "all of it, or nothing"
