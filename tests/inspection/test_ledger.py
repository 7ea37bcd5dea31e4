"""One trigger, one result: whoever settles first."""

import threading
import time

from appliance.inspection.ledger import Ledger
from appliance.inspection.report import Reporter
from appliance.inspection.result import Reason

REPORTER = Reporter("box", "top", "flange", "sha256:" + "0" * 64, deadline_ms=50.0)


def ledger_of(settled, deadline_s=0.05):
    return Ledger(deadline_s, 0.005, settled)


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
    assert ledger.next_expiry_ns() == 1_000_000_000 + 45_000_000
    assert ledger.expired(1_044_999_999) == []
    assert ledger.expired(1_045_000_000) == [part]


def test_trigger_numbers_go_on_after_a_reload():
    ledger = Ledger(0.05, 0.005, lambda result: None, first_id=7)
    assert [ledger.open(0).trigger_id, ledger.open(0).trigger_id, ledger.next_id] == [7, 8, 9]
