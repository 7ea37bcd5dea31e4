"""What TensorFlow Serving's core does badly, each as a test that its behaviour would fail.

Numbered as they were noted. 5 (a failed reload poisons the stored configuration) is the server core's; 9 (readiness,
draining, a list of models) and 10 (the texts and shapes that clients rely on) are the network interfaces'.
"""

import threading
import time

import pytest
from serving.doubles import Bench, HandManager, broken, own_threads

from appliance.serving import (
    FileSystemSource,
    HarnessState,
    LoadCancelled,
    Manager,
    ManagerState,
    NotAvailable,
    OutOfResources,
    ResourceTracker,
    ServableId,
    UnknownResource,
    WatchedServable,
    availability_preserving,
    gpu_ram,
    load_initially,
    main_ram,
)

LIMIT_S = 10


# --- 1: there, a handle pins the whole serving map ----------------------------------------------------------------


def test_a_borrower_who_hangs_on_one_model_delays_no_other_models_change(hand):
    hand.serve("hung", 1)
    hand.serve("surface", 1)
    with hand.manager.borrow("hung") as hung:
        hand.aspire("hung", {})
        hand.aspire("surface", [2])
        hand.aspire("new", [1])
        hand.settle()
        assert hand.latest("surface") == 2
        assert hand.latest("new") == 1
        assert hand.manager_state("surface", 1) is ManagerState.END, "unloaded, past the one that hangs"
        assert hung.servable.is_loaded


def test_a_borrower_who_hangs_on_the_old_version_does_not_delay_the_new_one(hand):
    hand.serve("surface", 1)
    with hand.manager.borrow("surface"):
        for version in (2, 3):
            hand.aspire("surface", [version])
            hand.settle()
            assert hand.latest("surface") == version
        assert hand.manager_state("surface", 2) is ManagerState.END


# --- 2: there, a broken model's load and its pauses block everything ----------------------------------------------


def test_between_its_attempts_a_broken_model_keeps_no_thread_from_the_others(hand):
    hand.serve("old", 1)
    hand.manager.aspire("broken", {1: hand.bench.loader(outcomes=[broken()] * 9)})
    hand.settle()
    assert hand.manager_state("broken", 1) is ManagerState.LOADING
    assert hand.tasks("load") == 0
    hand.aspire("surface", [1])
    hand.aspire("old", {})
    hand.settle()
    assert hand.latest("surface") == 1
    assert hand.manager_state("old", 1) is ManagerState.END


def test_withdrawing_a_version_ends_its_pause_at_once_and_without_another_attempt(hand):
    loader = hand.bench.loader(outcomes=[broken()] * 9)
    hand.manager.aspire("surface", {1: loader})
    hand.settle()
    hand.aspire("surface", {})
    hand.manager.step()
    assert hand.manager_state("surface", 1) is ManagerState.END
    assert isinstance(hand.state("surface", 1).error, LoadCancelled)
    assert loader.attempts == 1


def test_stopping_does_not_wait_for_a_pause():
    manager, bench = Manager(availability_preserving, load_retry_interval_s=3600), Bench()
    paused = threading.Event()
    manager.monitor.subscribe(lambda state: state.error is not None and paused.set())
    manager.aspire("surface", {1: bench.loader(outcomes=[broken()] * 9)})
    manager.step()
    assert paused.wait(LIMIT_S)
    assert manager.stop(LIMIT_S) == []


# --- 3: there, a broken version looks like loading for five minutes, and nobody can see why -----------------------


def test_while_a_broken_version_is_tried_again_its_error_and_attempts_can_be_read():
    hand = HandManager(max_load_retries=2, load_retry_interval_s=5)
    hand.manager.aspire("surface", {1: hand.bench.loader(outcomes=[broken("no such op")] * 9)})
    seen = []
    for _ in range(4):
        hand.settle()
        state = hand.state("surface", 1)
        seen.append((state.manager_state.value, state.attempts, str(state.error)))
        hand.now_s += 5
    assert seen == [
        ("LOADING", 1, "no such op"),
        ("LOADING", 2, "no such op"),
        ("END", 3, "no such op"),
        ("END", 3, "no such op"),
    ]


# --- 4: there, a rollback while the new version loads is parked, and the withdrawn version serves -----------------


def test_a_rollback_while_the_new_version_loads_leaves_the_old_one_in_place(hand):
    old = hand.serve("surface", 1)

    def roll_back():
        hand.manager.aspire("surface", {1: old})
        hand.manager.step()
        assert hand.harness_state("surface", 1) is HarnessState.READY

    served = []
    hand.manager.monitor.subscribe(
        lambda state: state.manager_state is ManagerState.AVAILABLE and served.append(state.id.version)
    )
    hand.manager.aspire("surface", {2: hand.bench.loader(during_load=roll_back)})
    hand.settle()
    assert hand.latest("surface") == 1
    assert served == [], "the withdrawn version was never available"
    assert old.attempts == 1, "the old one was not loaded again"
    assert list(hand.bench.loaded) == [old]


def test_a_rollback_while_the_new_version_pauses_ends_its_attempts(hand):
    old = hand.serve("surface", 1)
    new = hand.bench.loader(outcomes=[broken()] * 9)
    hand.manager.aspire("surface", {2: new})
    hand.settle()
    hand.manager.aspire("surface", {1: old})
    hand.now_s = 1e6
    hand.settle()
    assert new.attempts == 1
    assert hand.manager_state("surface", 2) is ManagerState.END
    assert (hand.latest("surface"), old.attempts) == (1, 1)


def test_a_rollback_after_the_new_version_failed_is_applied_and_not_parked(hand):
    old = hand.serve("surface", 1)
    hand.manager.aspire("surface", {2: broken()})
    hand.settle()
    hand.manager.aspire("surface", {1: old})
    hand.settle()
    (harness,) = hand.manager._basic.harnesses("surface")
    assert (harness.id.version, harness.is_aspired) == (1, True)


def test_a_failed_version_that_is_taken_away_leaves_the_way_free_for_the_next(tmp_path):
    hand = HandManager(max_load_retries=0)
    source = FileSystemSource(
        [WatchedServable("surface", tmp_path)],
        lambda new, _: hand.bench.loader(outcomes=[broken()] if new.version == 2 else []),
        hand.manager.aspire,
    )
    served = []
    for publish, withdraw in [("1", None), ("2", None), (None, "2"), ("3", None)]:
        if publish:
            (tmp_path / publish).mkdir()
        if withdraw:
            (tmp_path / withdraw).rmdir()
        source.poll()
        hand.settle()
        hand.settle()
        served.append((hand.latest("surface"), sorted(state.id.version for state in hand.manager.states())))
    assert served == [(1, [1]), (1, [1, 2]), (1, [1, 2]), (3, [1, 2, 3])]
    assert [servable.id.version for servable in hand.bench.loaded.values()] == [3]


def test_a_version_that_used_up_its_attempts_is_tried_again_when_its_content_changes_without_leaving(hand):
    hand.serve("surface", 1)
    failed = hand.bench.loader(outcomes=[broken()] * 9)
    hand.manager.aspire("surface", {2: failed})
    for _ in range(5):
        hand.settle()
        hand.now_s += 5
    assert (failed.attempts, hand.latest("surface")) == (3, 1)
    hand.aspire("surface", [2])
    hand.settle()
    assert hand.latest("surface") == 2


def test_versions_that_ended_do_not_pile_up(hand):
    for version in range(300):
        hand.aspire("surface", [version])
        hand.settle()
    assert len(hand.manager.states()) < 100
    assert len(hand.manager.monitor.history()) <= 256


# --- 6: there, one missing base path stops polling for all models -------------------------------------------------


def test_a_base_path_that_is_missing_or_unreadable_harms_no_other_model(tmp_path):
    (tmp_path / "good" / "7").mkdir(parents=True)
    (tmp_path / "a-file").touch()
    aspired = {}
    source = FileSystemSource(
        [WatchedServable(name, tmp_path / name) for name in ("missing", "a-file", "good")],
        lambda new, path: path,
        lambda name, versions: aspired.update({name: dict(versions)}),
    )
    source.poll()
    assert aspired == {"good": {7: tmp_path / "good" / "7"}}
    assert set(source.problems()) == {"missing", "a-file"}
    assert str(tmp_path / "missing") in source.problems()["missing"]


# --- 7: there, waits have no limit --------------------------------------------------------------------------------


def test_a_wait_for_a_model_that_never_comes_is_bounded(hand):
    hand.manager.aspire("surface", {1: hand.bench.loader(outcomes=[broken()] * 9)})
    hand.settle()
    with pytest.raises(NotAvailable, match=r"surface version: 1\} is LOADING after 1 attempt"):
        hand.manager.monitor.wait_until_available(["surface"], 0.01)


def test_the_wait_for_the_first_load_is_bounded_too():
    manager = Manager(availability_preserving)
    began = time.monotonic()
    with pytest.raises(NotAvailable, match=r"no version of it was aspired"):
        load_initially(manager, ["surface"], threads=2, timeout_s=0.01)
    assert time.monotonic() - began < LIMIT_S / 2
    assert manager.stop(LIMIT_S) == []


def test_stopping_is_bounded_where_a_borrower_or_a_loader_hangs_and_says_what_is_left():
    manager, bench = Manager(availability_preserving), Bench()
    loading, go_on = threading.Event(), threading.Event()
    manager.aspire("borrowed", {1: bench.loader()})
    manager.step()
    manager.monitor.wait_until_available(["borrowed"], LIMIT_S)
    manager.aspire("hanging", {1: bench.loader(during_load=lambda: (loading.set(), go_on.wait(LIMIT_S)))})
    manager.step()
    assert loading.wait(LIMIT_S)
    with manager.borrow("borrowed"):
        began = time.monotonic()
        assert manager.stop(0.05) == [ServableId("borrowed", 1), ServableId("hanging", 1)]
        assert time.monotonic() - began < LIMIT_S / 2
    go_on.set()
    for thread in own_threads("load-", "unload-"):
        thread.join(LIMIT_S)


# --- 8: there, memory of GPUs is not counted ----------------------------------------------------------------------

GPU = gpu_ram(100, 0)


def test_a_version_that_does_not_fit_on_the_gpu_is_refused_before_it_is_loaded_and_the_old_one_serves():
    hand = HandManager(resources=ResourceTracker(GPU))
    hand.serve("surface", 1, cost=gpu_ram(60))
    too_big = hand.bench.loader(cost=gpu_ram(60))
    hand.manager.aspire("surface", {2: too_big})
    hand.settle()
    state = hand.state("surface", 2)
    assert isinstance(state.error, OutOfResources)
    assert str(state.error) == (
        "Insufficient resources to load servable {name: surface version: 2}: "
        "it needs gpu/ram: 60; in use: gpu/0/ram: 60; there is: gpu/0/ram: 100"
    )
    assert too_big.attempts == 0
    assert hand.latest("surface") == 1


def test_what_was_measured_after_loading_counts_instead_of_the_estimate():
    hand = HandManager(resources=ResourceTracker(GPU))
    hand.serve("surface", 1, cost=gpu_ram(90), measured=gpu_ram(30, 0))
    hand.aspire("surface", {2: hand.bench.loader(cost=gpu_ram(70))})
    hand.settle()
    assert hand.latest("surface") == 2


def test_a_version_waits_for_room_that_is_about_to_be_made():
    hand = HandManager(resources=ResourceTracker(GPU))
    hand.serve("a", 1, cost=gpu_ram(60))
    hand.aspire("a", {})
    hand.manager.step()
    hand.aspire("b", {1: hand.bench.loader(cost=gpu_ram(60))})
    hand.manager.step()
    hand.run("load")
    waiting = hand.state("b", 1)
    assert waiting.manager_state is ManagerState.START
    assert isinstance(waiting.error, OutOfResources), "it says what it waits for"
    hand.settle()
    assert hand.latest("b") == 1
    assert (hand.state("b", 1).error, hand.state("b", 1).attempts) == (None, 1)


def test_a_version_that_waits_for_room_in_vain_ends_when_nothing_moves_any_more():
    hand = HandManager(resources=ResourceTracker(GPU))
    hand.serve("a", 1, cost=gpu_ram(60))
    loading = {1: hand.bench.loader(cost=gpu_ram(30))}
    hand.manager.aspire("b", loading)
    hand.manager.step()
    hand.aspire("c", {1: hand.bench.loader(cost=gpu_ram(60))})
    hand.manager.step()
    b, c = hand.executors["load"].tasks
    hand.executors["load"].tasks.clear()
    loading[1].during_load = c
    b()
    assert hand.manager_state("c", 1) is ManagerState.START
    hand.settle()
    assert hand.latest("b") == 1
    assert isinstance(hand.state("c", 1).error, OutOfResources)
    assert hand.manager_state("c", 1) is ManagerState.END


def test_a_version_withdrawn_while_it_waits_for_room_ends_at_once():
    hand = HandManager(resources=ResourceTracker(GPU))
    hand.serve("a", 1, cost=gpu_ram(60))
    with hand.manager.borrow("a"):
        hand.aspire("a", {})
        hand.aspire("b", {1: hand.bench.loader(cost=gpu_ram(60))})
        hand.settle()
        assert hand.manager_state("b", 1) is ManagerState.START
        hand.aspire("b", {})
        hand.manager.step()
        assert hand.manager_state("b", 1) is ManagerState.END
    hand.settle()


def test_a_loader_that_asks_for_a_device_the_box_does_not_count_ends_with_that_sentence():
    hand = HandManager(resources=ResourceTracker(main_ram(100)))
    hand.aspire("surface", {1: hand.bench.loader(cost=gpu_ram(1))})
    hand.settle()
    assert isinstance(hand.state("surface", 1).error, UnknownResource)
    assert "gpu/ram" in str(hand.state("surface", 1).error)


def test_a_loader_that_measures_nonsense_counts_as_it_was_estimated():
    hand = HandManager(resources=ResourceTracker(main_ram(100)))
    hand.serve("surface", 1, cost=main_ram(60), measured=gpu_ram(1))
    hand.aspire("other", {1: hand.bench.loader(cost=main_ram(60))})
    hand.settle()
    assert isinstance(hand.state("other", 1).error, OutOfResources)
