import json

import pytest
from registry.deployments.making import AT, DIGEST, HOLD, LATER, deployment, strategy

from appliance.registry.config import ModelDeliveryConfig
from appliance.registry.deployments import events as e
from appliance.registry.deployments.deployment import MOVES_MAX, Deployment
from appliance.registry.deployments.machine import LOADS_MAX, after, is_before_switch
from appliance.registry.deployments.states import BEFORE_SWITCH, State
from appliance.registry.deployments.strategy import Strategy, strategy_of

S = State
GOOD = [
    e.Began(), e.StatementVerified(7, 12, DIGEST, 1000), e.Fetched(1000, 400), e.Downloaded(), e.Verified(),
    e.Staged(), e.Loaded(), e.Accepted({"samples": 8}), e.ShadowPassed({"parts": 200}), e.CanaryPassed({"parts": 50}),
    e.Activated(11), e.Committed({"running_digest": DIGEST}),
]  # fmt: skip


def told(start: Deployment, *events: e.Event, asks: Strategy | None = None) -> Deployment:
    for event in events:
        start = after(start, event, asks or strategy(), LATER)
    return start


def test_a_good_release_from_the_wish_to_success():
    end = told(deployment(), *GOOD)
    assert end.state is S.SUCCESS
    assert (end.version, end.release, end.digest, end.previous) == (7, 12, DIGEST, 11)
    assert (end.bytes_total, end.bytes_done, end.bytes_fetched, end.attempts) == (1000, 1000, 400, 1)
    assert (end.reason, end.detail, end.waiting_for) == (None, None, None)
    assert {name: report["passed"] for name, report in end.reports.items()} == {
        "acceptance": True, "shadow": True, "canary": True, "probation": True,
    }  # fmt: skip
    assert Deployment.from_json(json.loads(json.dumps(end.as_json()))) == end


@pytest.mark.parametrize(
    ("shadow", "canary", "ways"),
    [
        (1, 1, [S.SHADOWING, S.CANARY, S.ACTIVATING]),
        (1, 0, [S.SHADOWING, S.ACTIVATING]),
        (0, 1, [S.CANARY, S.ACTIVATING]),
        (0, 0, [S.ACTIVATING]),
    ],
)
def test_what_the_box_does_not_ask_for_is_left_out(shadow, canary, ways):
    asks = strategy(shadow=shadow, canary=canary)
    passes = {S.ACCEPTING: e.Accepted({}), S.SHADOWING: e.ShadowPassed({}), S.CANARY: e.CanaryPassed({})}
    now, gone = deployment(S.ACCEPTING), []
    while now.state in passes:
        now = told(now, passes[now.state], asks=asks)
        gone.append(now.state)
    assert gone == ways


def test_the_operators_file_says_what_is_asked_for():
    config = ModelDeliveryConfig(source="file:///m/", trusted_keys=("a.pem",), approve=True, shadow={"parts": 7})
    asks = strategy_of(config)
    assert (asks.shadow.parts, asks.canary, asks.probation, asks.approve) == (7, config.canary, config.probation, True)


def test_a_download_without_a_verified_statement_is_a_bug():
    with pytest.raises(RuntimeError, match="statement"):
        told(deployment(S.DOWNLOADING, digest=None), e.Downloaded())


class TestApproval:
    ASKS = strategy(approve=True, canary=0)

    def test_it_waits_before_the_switch_and_goes_on_when_a_person_says_so(self):
        waits = told(deployment(S.SHADOWING), e.ShadowPassed({"parts": 200}), asks=self.ASKS)
        assert (waits.state, waits.waiting_for, waits.reason) == (S.SHADOWING, "approval", "approval")
        assert waits.reports["shadow"] == {"parts": 200, "passed": True}
        assert is_before_switch(waits)
        now = told(waits, e.Approved("anna"), asks=self.ASKS)
        assert (now.state, now.approved_by, now.waiting_for, now.reason) == (S.ACTIVATING, "anna", None, None)

    def test_it_may_come_early(self):
        early = told(deployment(S.DOWNLOADING), e.Approved("anna"), asks=self.ASKS)
        assert early.state is S.DOWNLOADING
        assert told(early, *GOOD[3:7], GOOD[7], GOOD[8], asks=self.ASKS).state is S.ACTIVATING

    def test_the_first_one_counts(self):
        assert told(deployment(), e.Approved("anna"), e.Approved("ben")).approved_by == "anna"

    def test_in_a_shut_window_it_does_not_switch_at_once(self):
        waits = told(deployment(S.SHADOWING), e.ShadowPassed({}), e.Approved("anna", hold=HOLD), asks=self.ASKS)
        assert (waits.state, waits.waiting_for, waits.approved_by) == (S.SHADOWING, "window", "anna")
        assert told(waits, e.Approved("ben"), asks=self.ASKS) is waits
        assert told(waits, e.Unheld(), asks=self.ASKS).state is S.ACTIVATING

    def test_the_end_of_a_pause_is_no_approval(self):
        waits = told(deployment(S.SHADOWING), e.ShadowPassed({}), e.Held("pause", "paused"), e.Unheld(), asks=self.ASKS)
        assert (waits.state, waits.waiting_for) == (S.SHADOWING, "approval")

    def test_it_is_asked_for_before_the_window_opens(self):
        waits = told(deployment(S.SHADOWING), e.ShadowPassed({}, hold=HOLD), asks=self.ASKS)
        assert waits.waiting_for == "approval"
        assert told(waits, e.Held("window", "shut"), asks=self.ASKS) is waits
        approved = told(waits, e.Approved("anna", hold=HOLD), asks=self.ASKS)
        assert (approved.state, approved.waiting_for) == (S.SHADOWING, "window")

    def test_it_proves_itself_again_and_still_waits(self):
        waits = told(deployment(S.SHADOWING), e.ShadowPassed({}), asks=self.ASKS)
        assert told(waits, e.Crashed(), e.ShadowPassed({}), asks=self.ASKS).waiting_for == "approval"


class TestHolds:
    def test_with_a_hold_the_proof_is_kept_and_the_switch_waits(self):
        waits = told(deployment(S.CANARY), e.CanaryPassed({"parts": 3}, hold=HOLD))
        assert (waits.state, waits.waiting_for, waits.detail) == (S.CANARY, "window", HOLD.detail)
        assert told(waits, e.Unheld()).state is S.ACTIVATING

    def test_a_hold_does_not_keep_it_from_the_next_proof(self):
        assert told(deployment(S.ACCEPTING), e.Accepted({}, hold=HOLD)).state is S.SHADOWING

    def test_the_same_hold_again_is_nothing_new(self):
        held = told(deployment(), e.Held("ring", "not in the ring"))
        assert told(held, e.Held("ring", "not in the ring")) is held
        assert told(held, e.Held("window", "shut")).waiting_for == "window"

    def test_where_nothing_holds_it_any_more_it_stays_and_says_nothing(self):
        now = told(deployment(S.DOWNLOADING), e.Held("network", "no answer"), e.Unheld())
        assert now == deployment(S.DOWNLOADING)

    def test_a_move_ends_the_wait(self):
        now = told(deployment(), e.Held("ring", "not in the ring"), e.Began())
        assert (now.waiting_for, now.reason, now.detail) == (None, None, None)

    def test_what_waits_before_the_switch_can_be_stopped(self):
        waits = told(deployment(S.CANARY), e.CanaryPassed({}, hold=HOLD))
        assert told(waits, e.Canceled("anna")).state is S.CANCELED
        assert told(waits, e.Superseded("release 13")).state is S.SUPERSEDED
        assert told(waits, e.Refused("revoked", "revoked meanwhile")).state is S.REJECTED

    def test_late_counters_do_not_undo_the_proof(self):
        waits = told(deployment(S.CANARY), e.CanaryPassed({"parts": 3}, hold=HOLD))
        assert told(waits, e.Counted({"parts": 4, "passed": None})) is waits


class TestCrashes:
    def test_a_load_is_tried_three_times(self):
        now = deployment(S.LOADING, attempts=1)
        for attempt in range(2, LOADS_MAX + 1):
            now = told(now, e.Crashed())
            assert (now.state, now.attempts) == (S.LOADING, attempt)
        end = told(now, e.Crashed())
        assert (end.state, end.reason) == (S.FAILED, "load_error")
        assert "3 times" in end.detail

    def test_a_candidate_that_stops_the_box_on_golden_samples_is_not_tried_for_ever(self):
        now = told(deployment(S.LOADING, attempts=1), e.Crashed(), e.Loaded(), e.Crashed())
        assert (now.state, now.attempts) == (S.ACCEPTING, 3)
        assert told(now, e.Crashed()).state is S.FAILED

    def test_probation_counts_restarts_of_the_line_up_to_the_limit(self):
        now = deployment(S.PROBATION)
        for restarts in (1, 2):
            now = told(now, e.Crashed(), asks=strategy(restarts=2))
            assert (now.state, now.restarts) == (S.PROBATION, restarts)
        over = told(now, e.Crashed(), asks=strategy(restarts=2))
        assert (over.state, over.reason, over.restarts) == (S.ROLLING_BACK, "restarts", 3)
        assert told(over, e.RolledBack()).detail == "the line restarted 3 times in probation; 2 are allowed"

    def test_a_delivery_process_that_dies_alone_is_not_the_candidates_fault(self):
        now = told(deployment(S.PROBATION), *[e.Crashed(line=False)] * 5, asks=strategy(restarts=0))
        assert (now.state, now.restarts, now.moves) == (S.PROBATION, 0, 5)

    @pytest.mark.parametrize("state", [S.DOWNLOADING, S.VERIFYING, S.STAGED, S.SHADOWING, S.CANARY, S.ACTIVATING])
    def test_what_is_repeatable_is_repeated_and_counters_are_kept(self, state):
        before = deployment(state, reports={"shadow": {"parts": 9, "passed": None}})
        now = told(before, e.Crashed())
        assert (now.state, now.moves, now.reports) == (state, 1, before.reports)

    @pytest.mark.parametrize("state", sorted(BEFORE_SWITCH))
    def test_a_box_that_is_switched_off_every_night_may_wait_for_months(self, state):
        waits = told(deployment(state, attempts=3), e.Held("window", "shut"))
        assert told(waits, *[e.Crashed()] * 100) == waits

    def test_a_rollback_is_finished_however_often_it_is_cut_short(self):
        now = told(deployment(S.ROLLING_BACK, reason="late", moves=MOVES_MAX), *[e.Crashed()] * 50)
        assert told(now, e.RolledBack()).state is S.ROLLED_BACK

    def test_the_one_before_that_cannot_serve_ends_as_such_with_both_reasons(self):
        now = told(deployment(S.PROBATION), e.Disappointed("late", "3 parts were late"), e.RollbackFailed("no files"))
        assert (now.state, now.reason) == (S.ROLLBACK_FAILED, "late")
        assert "3 parts were late" in now.detail
        assert "no files" in now.detail


class TestLoopGuard:
    @pytest.mark.parametrize("state", [S.DOWNLOADING, S.VERIFYING, S.STAGED, S.SHADOWING, S.CANARY])
    def test_circles_end_failed(self, state):
        now = deployment(state)
        for crash in range(MOVES_MAX):
            assert now.state is state, crash
            now = told(now, e.Crashed())
        assert (now.state, now.reason, now.moves) == (S.FAILED, "loop", MOVES_MAX)

    @pytest.mark.parametrize("state", [S.ACTIVATING, S.PROBATION])
    def test_and_roll_back_where_the_candidate_may_serve(self, state):
        now = told(deployment(state), *[e.Crashed(line=False)] * MOVES_MAX)
        assert (now.state, now.reason) == (S.ROLLING_BACK, "loop")
        assert told(now, e.RolledBack()).state is S.ROLLED_BACK

    def test_the_last_move_is_judged_by_where_it_came_from(self):
        assert told(deployment(S.CANARY, moves=MOVES_MAX - 1), e.CanaryPassed({})).state is S.FAILED
        assert told(deployment(S.ACTIVATING, moves=MOVES_MAX - 1), e.Activated(11)).state is S.ROLLING_BACK

    def test_an_end_is_an_end_also_at_the_limit(self):
        last = deployment(S.PROBATION, moves=MOVES_MAX - 1)
        assert told(last, e.Committed({"running_digest": DIGEST})).state is S.SUCCESS
        assert told(last, e.Disappointed("late", "3 parts were late")).reason == "late"

    def test_many_restarts_in_probation_have_their_own_limit(self):
        now = told(deployment(S.PROBATION, moves=9), *[e.Crashed()] * 60, asks=strategy(restarts=60))
        assert (now.state, now.restarts) == (S.PROBATION, 60)

    def test_counting_and_waiting_are_no_moves(self):
        now = told(deployment(S.SHADOWING), *[e.Counted({"parts": n}) for n in range(100)])
        assert (now.moves, now.reports["shadow"]["parts"]) == (0, 99)


class TestEndsAndReports:
    def test_a_failed_shadow_keeps_its_counters(self):
        now = told(
            deployment(S.SHADOWING), e.Counted({"parts": 9}), e.Failed("agreement", "it disagrees", {"agreed": 2})
        )
        assert (now.state, now.reason) == (S.FAILED, "agreement")
        assert now.reports["shadow"] == {"parts": 9, "agreed": 2, "passed": False}

    def test_a_failed_canary_changed_nothing_on_the_line(self):
        assert told(deployment(S.CANARY), e.Failed("new_rejects", "too many")).state is S.FAILED

    def test_a_disappointment_says_why_until_the_end(self):
        end = told(
            deployment(S.PROBATION),
            e.Disappointed("late", "3 parts were late", {"late": 3}),
            e.Crashed(),
            e.RolledBack(),
        )
        assert (end.state, end.reason, end.detail) == (S.ROLLED_BACK, "late", "3 parts were late")
        assert end.reports["probation"] == {"late": 3, "passed": False}

    def test_a_rollback_before_the_switch_is_a_no_op(self):
        for state in BEFORE_SWITCH:
            before = deployment(state)
            assert told(before, e.Disappointed("requested", "anna wants the one before")) is before

    def test_revoked_while_it_serves_goes_back(self):
        now = told(deployment(S.PROBATION), e.Refused("revoked", "release 13 revokes it"))
        assert (now.state, now.reason) == (S.ROLLING_BACK, "revoked")

    def test_nothing_is_committed_that_the_line_does_not_run(self):
        for report in ({}, {"running_digest": None}, {"running_digest": "sha256:" + "00" * 32}):
            with pytest.raises(RuntimeError, match="while the line runs"):
                told(deployment(S.PROBATION), e.Committed(report))

    def test_who_stopped_it_is_said(self):
        assert told(deployment(), e.Canceled("anna")).detail == "canceled by anna"
        assert told(deployment(), e.Superseded("release 13")).detail == "release 13 is wanted instead"

    def test_the_deployment_before_is_not_touched(self):
        before = deployment(S.SHADOWING)
        told(before, e.Counted({"parts": 9}), e.ShadowPassed({}))
        assert before == deployment(S.SHADOWING)
        assert before.since == AT
