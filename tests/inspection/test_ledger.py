"""One trigger, one result: whoever settles first."""

import threading
import time
from contextlib import nullcontext

from running import until

from appliance.inspection.in_force import InForce
from appliance.inspection.ledger import Ledger
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.report import Reporter
from appliance.inspection.result import Reason

REPORTER = Reporter("box", "top")


RECIPE = RecipeConfig(model="flange", deadline_ms=50)


def in_force(deadline_ms=50.0):
    return InForce("flange", RECIPE, "sha256:" + "0" * 64, deadline_ms, borrow=nullcontext)


class ledger_of(Ledger):  # noqa: N801
    def open(self, triggered_ns, recipe=None, **more):
        return super().open(triggered_ns, recipe or in_force(), **more)


def test_a_part_has_one_result_however_many_threads_settle_it():
    given = []
    ledger = ledger_of(given.append)
    parts = [ledger.open(time.monotonic_ns()) for _ in range(200)]
    barrier = threading.Barrier(4)

    def settle(reason):
        barrier.wait()
        for part in parts:
            ledger.settle(part, REPORTER.undefined(part, reason, "x"))

    reasons = [Reason.DEADLINE_EXPIRED, Reason.NO_MODEL, Reason.FRAME_MISSING, Reason.CAMERA_LOST]
    threads = [threading.Thread(target=settle, args=(reason,)) for reason in reasons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.trigger_id for result in given) == list(range(200))
    assert ledger.open_parts() == 0


def test_results_come_in_the_order_of_the_triggers_whoever_is_settled_first():
    given = []
    ledger = ledger_of(given.append)
    first, second, third, fourth = (ledger.open(time.monotonic_ns()) for _ in range(4))
    ledger.settle(second, REPORTER.undefined(second, Reason.TRIGGER_OVERLAPPED, "x"))
    ledger.withdraw(third)
    assert given == []
    assert ledger.expired(2**63) == [first, fourth]
    ledger.settle(first, REPORTER.undefined(first, Reason.FRAME_MISSING, "x"))
    assert [result.trigger_id for result in given] == [0, 1]
    ledger.settle(fourth, REPORTER.undefined(fourth, Reason.FRAME_MISSING, "x"))
    assert [result.trigger_id for result in given] == [0, 1, 3]


def test_the_late_one_is_told_that_it_lost():
    ledger = ledger_of(lambda result: None)
    part = ledger.open(time.monotonic_ns())
    assert ledger.settle(part, REPORTER.undefined(part, Reason.DEADLINE_EXPIRED, "x"))
    assert not ledger.settle(part, REPORTER.undefined(part, Reason.NO_MODEL, "x"))


def test_parts_are_given_up_before_their_deadline_and_not_earlier_than_the_margin():
    ledger = ledger_of(lambda result: None)
    part = ledger.open(1_000_000_000)
    assert ledger.expired(1_047_499_999) == []
    assert ledger.expired(1_047_500_000) == [part]


def test_parts_that_expire_before_earlier_ones_are_seen():
    ledger = ledger_of(lambda result: None)
    ledger.open(1_000_000_000)
    sooner = ledger.open(1_000_000_000, in_force(10))
    assert ledger.expired(1_010_000_000) == [sooner]


def test_a_part_that_expires_sooner_than_what_is_waited_for_ends_the_wait():
    ledger = ledger_of(lambda result: None)
    ledger.open(time.monotonic_ns(), in_force(60_000))
    waited = threading.Thread(target=ledger.wait_expiry, args=(60,))
    waited.start()
    until(lambda: ledger._awaited_ns, "the wait to begin")
    ledger.open(time.monotonic_ns(), in_force(20))
    waited.join(5)
    assert not waited.is_alive()


def test_who_asked_is_told_the_result_also_where_it_is_known_at_once():
    told = []
    ledger = ledger_of(lambda result: None)
    part = ledger.open(time.monotonic_ns(), part_id="A7", on_result=told.append)
    ledger.settle(part, REPORTER.undefined(part, Reason.CAMERA_LOST, "x"))
    ledger.withdraw(ledger.open(time.monotonic_ns(), on_result=told.append))
    assert [one and one.part_id for one in told] == ["A7", None]


def test_trigger_numbers_go_on_after_a_reload():
    ledger = ledger_of(lambda result: None, first_id=7)
    assert [ledger.open(0).trigger_id, ledger.open(0).trigger_id, ledger.next_id] == [7, 8, 9]
