import logging
import threading
from datetime import datetime, timezone

import pytest
from serving.doubles import HandManager

from appliance.serving import LoadError, ManagerState, NotAvailable, ServableId, ServableState, ServableStateMonitor

LIMIT_S = 10
M = ManagerState


def state(name, version, manager_state, error=None, attempts=0):
    return ServableState(ServableId(name, version), manager_state, error, datetime.now(timezone.utc), attempts)


@pytest.fixture
def monitor():
    return ServableStateMonitor(ended_max=3)


def test_states_are_by_name_and_the_newest_version_first(monitor):
    for name, version in [("b", 1), ("a", 1), ("a", 10), ("a", 9)]:
        monitor.record(state(name, version, M.START))
    assert [(s.id.name, s.id.version) for s in monitor.states()] == [("a", 10), ("a", 9), ("a", 1), ("b", 1)]
    assert [s.id.version for s in monitor.states("b")] == [1]


def test_only_the_last_few_that_ended_are_remembered(monitor):
    for version in range(10):
        monitor.record(state("a", version, M.END))
        monitor.retire(ServableId("a", version))
    assert [s.id.version for s in monitor.states()] == [9, 8, 7]


def test_a_failed_version_that_is_still_wanted_is_never_forgotten(monitor):
    monitor.record(state("a", 0, M.END, LoadError("broken")))
    for version in range(1, 10):
        monitor.record(state("a", version, M.END))
        monitor.retire(ServableId("a", version))
    assert monitor.states()[-1].error.args == ("broken",)


def test_a_version_that_comes_back_is_no_history_any_more(monitor):
    monitor.record(state("a", 1, M.END))
    monitor.retire(ServableId("a", 1))
    monitor.record(state("a", 1, M.START))
    assert [s.manager_state for s in monitor.states()] == [M.START]


def test_a_version_that_ends_again_is_remembered_from_its_last_end(monitor):
    for version in (1, 2, 3, 1, 4):
        monitor.record(state("a", version, M.END))
        monitor.retire(ServableId("a", version))
    assert [s.id.version for s in monitor.states()] == [4, 3, 1]


def test_subscribers_hear_of_every_change_in_order_until_they_leave(monitor):
    heard = []
    leave = monitor.subscribe(lambda each: heard.append(each.manager_state))
    for each in (M.START, M.LOADING):
        monitor.record(state("a", 1, each))
    monitor.tell()
    leave()
    monitor.record(state("a", 1, M.AVAILABLE))
    monitor.tell()
    assert heard == [M.START, M.LOADING]


def test_a_subscriber_that_fails_harms_no_other(monitor, caplog):
    heard = []
    monitor.subscribe(lambda each: 1 / 0)
    monitor.subscribe(heard.append)
    monitor.record(state("a", 1, M.START))
    with caplog.at_level(logging.ERROR):
        monitor.tell()
    assert len(heard) == 1
    assert "a subscriber failed at START of {name: a version: 1}" in caplog.text


def test_a_subscriber_may_cause_a_change_and_it_is_told_after_the_one_before(monitor):
    heard = []

    def chain(each):
        heard.append(each.manager_state)
        if each.manager_state is M.START:
            monitor.record(state("a", 1, M.LOADING))
            monitor.tell()

    monitor.subscribe(chain)
    monitor.record(state("a", 1, M.START))
    monitor.tell()
    assert heard == [M.START, M.LOADING]


def test_while_one_thread_tells_another_does_not_wait_and_nothing_is_lost(monitor):
    heard, telling, go_on = [], threading.Event(), threading.Event()

    def slow(each):
        heard.append(each.manager_state)
        telling.set()
        assert go_on.wait(LIMIT_S)

    monitor.subscribe(slow)
    monitor.record(state("a", 1, M.START))
    teller = threading.Thread(target=monitor.tell)
    teller.start()
    assert telling.wait(LIMIT_S)
    monitor.record(state("a", 1, M.LOADING))
    monitor.tell()
    assert heard == [M.START]
    go_on.set()
    teller.join(LIMIT_S)
    assert heard == [M.START, M.LOADING]


def test_what_happens_in_the_moment_when_a_thread_ends_telling_is_told(monitor):
    class Telling:
        """The lock of those who tell; just before it is released for the first time, another thread has something."""

        def __init__(self):
            self.lock = threading.Lock()
            self.late = [state("a", 1, M.LOADING)]

        def acquire(self, *, blocking):
            return self.lock.acquire(blocking=blocking)

        def release(self):
            if self.late:
                monitor.record(self.late.pop())
                monitor.tell()
            self.lock.release()

    heard = []
    monitor._bus._delivering = Telling()
    monitor.subscribe(lambda each: heard.append(each.manager_state))
    monitor.record(state("a", 1, M.START))
    monitor.tell()
    assert heard == [M.START, M.LOADING]


def waiting(monitor, *wanted):
    """Wait on a thread; once it waits, the caller may go on. What came of it is in the list."""
    outcome = []

    def wait():
        try:
            monitor.wait_until_available(wanted, LIMIT_S)
        except NotAvailable as error:
            outcome.append(str(error))
        else:
            outcome.append("available")

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, outcome


def test_a_wait_for_a_name_ends_when_one_of_its_versions_is_available(monitor):
    monitor.record(state("a", 2, M.END, LoadError("broken")))
    monitor.record(state("a", 1, M.LOADING))
    thread, outcome = waiting(monitor, "a")
    monitor.record(state("a", 1, M.AVAILABLE))
    thread.join(LIMIT_S)
    assert outcome == ["available"]


def test_a_wait_for_a_version_is_for_that_version(monitor):
    monitor.record(state("a", 1, M.AVAILABLE))
    thread, outcome = waiting(monitor, ServableId("a", 2))
    monitor.record(state("a", 2, M.LOADING))
    assert thread.is_alive()
    monitor.record(state("a", 2, M.AVAILABLE))
    thread.join(LIMIT_S)
    assert outcome == ["available"]


def test_a_wait_ends_early_with_the_reason_where_all_has_failed(monitor):
    monitor.record(state("b", 1, M.AVAILABLE))
    thread, outcome = waiting(monitor, "a", "b")
    monitor.record(state("a", 1, M.END, LoadError("broken"), attempts=3))
    thread.join(LIMIT_S)
    assert outcome == [
        "1 servable(s) did not become available: {name: a version: 1} is END after 3 attempt(s) due to error: broken"
    ]


def test_what_ended_long_ago_does_not_end_a_wait_for_what_is_to_come(monitor):
    monitor.record(state("a", 1, M.END))
    monitor.retire(ServableId("a", 1))
    thread, outcome = waiting(monitor, "a")
    monitor.record(state("a", 2, M.AVAILABLE))
    thread.join(LIMIT_S)
    assert outcome == ["available"]


def test_a_wait_is_bounded_and_says_what_was_missing(monitor):
    monitor.record(state("a", 1, M.LOADING, LoadError("disk"), attempts=2))
    with pytest.raises(NotAvailable) as error:
        monitor.wait_until_available(["a", "b"], 0.01)
    assert str(error.value) == (
        "2 servable(s) did not become available: "
        "{name: a version: 1} is LOADING after 2 attempt(s) due to error: disk; "
        "b: no version of it was aspired within 0.01 s"
    )


# --- waits for other states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "content_with"),
    [
        (M.START, {M.START, M.LOADING, M.AVAILABLE, M.UNLOADING}),
        (M.LOADING, {M.LOADING, M.AVAILABLE, M.UNLOADING}),
        (M.AVAILABLE, {M.AVAILABLE}),
        (M.UNLOADING, {M.UNLOADING, M.END}),
        (M.END, {M.END}),
    ],
)
def test_a_wait_for_a_state_is_content_with_what_can_only_come_after_it(goal, content_with):
    reached = set()
    for now in M:
        monitor = ServableStateMonitor()
        monitor.record(state("a", 1, now))
        try:
            monitor.wait_until(goal, [ServableId("a", 1)], 0)
            reached.add(now)
        except NotAvailable as error:
            assert goal is M.AVAILABLE or f"did not come to {goal.value}" in str(error)  # noqa: PT017
    assert reached == content_with


def test_a_wait_for_the_end_of_a_name_is_for_all_its_versions_also_those_that_are_history(monitor):
    monitor.record(state("a", 1, M.END))
    monitor.retire(ServableId("a", 1))
    monitor.wait_until(M.END, ["a"], 0)
    monitor.record(state("a", 2, M.UNLOADING))
    with pytest.raises(NotAvailable, match=r"a version: 2\} is UNLOADING"):
        monitor.wait_until(M.END, ["a"], 0)
    monitor.record(state("a", 2, M.END))
    monitor.wait_until(M.END, ["a"], 0)


def test_a_wait_ends_early_where_the_state_cannot_come_any_more(monitor):
    monitor.record(state("a", 1, M.END, LoadError("broken")))
    with pytest.raises(NotAvailable, match=r"did not come to LOADING.*broken"):
        monitor.wait_until(M.LOADING, ["a"], LIMIT_S)


# --- what happened ------------------------------------------------------------------------------------------------


def test_history_tells_the_last_changes_the_oldest_first_and_no_repetition():
    monitor = ServableStateMonitor(history_max=3)
    first = state("a", 1, M.START)
    last = state("a", 1, M.AVAILABLE)
    for each in (first, state("b", 1, M.START), state("a", 1, M.LOADING), last, last):
        monitor.record(each)
    told = [(each.id.name, each.manager_state) for each in monitor.history()]
    assert told == [("b", M.START), ("a", M.LOADING), ("a", M.AVAILABLE)]
    assert [each.manager_state for each in monitor.history("b")] == [M.START]


def test_history_tells_every_failed_attempt():
    hand = HandManager(max_load_retries=1, load_retry_interval_s=0)
    hand.manager.aspire("a", {1: hand.bench.loader(outcomes=[LoadError("first"), LoadError("second")])})
    for _ in range(3):
        hand.settle()
    told = [(each.manager_state.value, each.attempts, str(each.error)) for each in hand.manager.monitor.history("a")]
    assert told == [
        ("START", 0, "None"),
        ("LOADING", 1, "None"),
        ("LOADING", 1, "first"),
        ("LOADING", 2, "first"),
        ("END", 2, "second"),
    ]


def test_where_no_history_is_wanted_none_is_kept():
    monitor = ServableStateMonitor(history_max=0)
    monitor.record(state("a", 1, M.START))
    assert monitor.history() == []
