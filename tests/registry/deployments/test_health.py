import pytest

from appliance.registry.config import CanaryConfig, ProbationConfig, ShadowConfig
from appliance.registry.deployments.health import Outcome, judge_canary, judge_probation, judge_shadow

DIGEST = "sha256:new"
OLD = "sha256:old"


def shadow(**counts):
    report = {
        "parts": 200, "agreed": 198, "new_passes": 1, "new_rejects": 1, "failed": 0, "skipped": 0,
        "max_score_drift": 0.01, "drift_label": "scratch", "candidate_ms_median": 5.0, "serving_ms_median": 4.0,
    }  # fmt: skip
    return {**report, **counts}


def canary(**counts):
    return {"parts": 100, "new_rejects": 1, "new_passes": 0, "failed": 0, "skipped": 0, **counts}


def probation(**counts):
    report = {
        "parts": 200, "late": 0, "undefined": 0, "failed_parts": 10, "baseline_parts": 1000,
        "baseline_failed_parts": 50, "restarts": 0, "running_digest": DIGEST,
    }  # fmt: skip
    return {**report, **counts}


class TestShadow:
    CONFIG = ShadowConfig()  # 200 parts, 60 s, 95 % agreement, 2 % new passes, drift 0.25, 3 x slower

    def test_parts_and_time_and_then_it_passed(self):
        judged = judge_shadow(shadow(), self.CONFIG, 60)
        assert (judged.outcome, judged.reason, judged.report["passed"]) == (Outcome.PASSED, None, True)
        assert judged.report["parts"] == 200

    @pytest.mark.parametrize(("parts", "elapsed_s"), [(199, 1000), (200, 59.9), (0, 0)])
    def test_not_before_both(self, parts, elapsed_s):
        judged = judge_shadow(shadow(parts=parts, agreed=parts, new_passes=0), self.CONFIG, elapsed_s)
        assert (judged.outcome, judged.report["passed"]) == (Outcome.GO_ON, None)
        assert f"{parts} of 200 parts" in judged.detail

    @pytest.mark.parametrize(
        ("counts", "reason"),
        [
            ({"agreed": 189}, "agreement"),
            ({"new_passes": 5}, "new_passes"),
            ({"max_score_drift": 0.2501}, "score_drift"),
            ({"candidate_ms_median": 12.1}, "slower"),
            ({"failed": 20}, "agreement"),
        ],
    )
    def test_at_the_end_what_was_seen_is_held_against_the_limit(self, counts, reason):
        judged = judge_shadow(shadow(**counts), self.CONFIG, 60)
        assert (judged.outcome, judged.reason, judged.report["passed"]) == (Outcome.FAILED, reason, False)

    @pytest.mark.parametrize(
        "counts",
        [
            {"agreed": 190},
            {"new_passes": 4},
            {"max_score_drift": 0.25},
            {"candidate_ms_median": 12.0},
            {"skipped": 9999},
        ],
    )
    def test_at_the_limit_is_allowed(self, counts):
        assert judge_shadow(shadow(**counts), self.CONFIG, 60).outcome is Outcome.PASSED

    def test_one_of_the_first_two_proves_nothing(self):
        report = shadow(parts=2, agreed=1, new_passes=1)
        assert judge_shadow(report, self.CONFIG, 1).outcome is Outcome.GO_ON

    def test_a_bad_one_is_seen_long_before_the_end(self):
        report = shadow(parts=20, agreed=10, new_passes=10)
        judged = judge_shadow(report, self.CONFIG, 1)
        assert (judged.outcome, judged.reason) == (Outcome.FAILED, "new_passes")
        assert judged.detail == (
            "it passes what the serving model does not on 10 of 20 parts (50.0%); 2.0% are allowed"
        )

    def test_one_that_never_answers_fails_without_a_single_part_of_both(self):
        report = shadow(parts=0, agreed=0, new_passes=0, failed=20)
        assert judge_shadow(report, self.CONFIG, 1).reason == "agreement"

    def test_drift_and_time_say_nothing_early(self):
        report = shadow(parts=9, agreed=9, new_passes=0, max_score_drift=0.9, candidate_ms_median=99.0)
        assert judge_shadow(report, self.CONFIG, 10).outcome is Outcome.GO_ON

    def test_what_was_not_measured_is_not_judged(self):
        report = shadow(max_score_drift=None, candidate_ms_median=None, serving_ms_median=None)
        assert judge_shadow(report, self.CONFIG, 60).outcome is Outcome.PASSED
        for unknown in ("candidate_ms_median", "serving_ms_median"):
            assert judge_shadow(shadow(**{unknown: None}), self.CONFIG, 60).outcome is Outcome.PASSED

    def test_an_idle_line_ends_it_after_its_time(self):
        report = shadow(parts=10, agreed=10, new_passes=0)
        assert judge_shadow(report, self.CONFIG, self.CONFIG.gives_up_s).outcome is Outcome.GO_ON
        judged = judge_shadow(report, self.CONFIG, self.CONFIG.gives_up_s + 1)
        assert (judged.outcome, judged.reason) == (Outcome.FAILED, "too_long")
        assert "10 of 200 parts" in judged.detail

    def test_reached_at_the_last_moment_is_reached(self):
        assert judge_shadow(shadow(), self.CONFIG, self.CONFIG.gives_up_s + 1).outcome is Outcome.PASSED

    def test_no_new_pass_allowed_means_none(self):
        report = shadow(parts=3, agreed=2, new_passes=1)
        assert judge_shadow(report, ShadowConfig(max_new_passes=0), 1).reason == "new_passes"


class TestCanary:
    CONFIG = CanaryConfig(parts=100, at_least_s=10)  # 5 % new rejects

    @pytest.mark.parametrize(
        ("counts", "elapsed_s", "outcome"),
        [
            ({}, 10, Outcome.PASSED),
            ({}, 9, Outcome.GO_ON),
            ({"parts": 99}, 10, Outcome.GO_ON),
            ({"new_rejects": 5}, 10, Outcome.PASSED),
            ({"new_rejects": 6}, 10, Outcome.FAILED),
            ({"new_rejects": 3, "failed": 5}, 10, Outcome.FAILED),
            ({"parts": 2, "new_rejects": 1}, 1, Outcome.GO_ON),
            ({"parts": 10, "new_rejects": 9}, 1, Outcome.FAILED),
            ({"parts": 0, "new_rejects": 0, "failed": 8}, 1, Outcome.FAILED),
            ({"new_passes": 50}, 10, Outcome.PASSED),
        ],
    )
    def test_new_rejects(self, counts, elapsed_s, outcome):
        judged = judge_canary(canary(**counts), self.CONFIG, elapsed_s)
        assert judged.outcome is outcome
        assert judged.reason == ("new_rejects" if outcome is Outcome.FAILED else None)

    def test_an_idle_line_ends_it_after_its_time(self):
        assert judge_canary(canary(parts=9, new_rejects=0), self.CONFIG, 86_400).outcome is Outcome.GO_ON
        assert judge_canary(canary(parts=9, new_rejects=0), self.CONFIG, 86_401).reason == "too_long"


class TestProbation:
    CONFIG = ProbationConfig()  # 200 parts, 60 s, no late part, 2 % undefined, 20 % more fails, 3 restarts

    def test_parts_and_time_and_then_it_stays(self):
        assert judge_probation(probation(), self.CONFIG, 60, DIGEST).outcome is Outcome.PASSED
        assert judge_probation(probation(parts=199), self.CONFIG, 999, DIGEST).outcome is Outcome.GO_ON
        assert judge_probation(probation(), self.CONFIG, 59, DIGEST).outcome is Outcome.GO_ON

    @pytest.mark.parametrize(
        ("counts", "reason"),
        [
            ({"late": 1}, "late"),
            ({"restarts": 4}, "restarts"),
            ({"undefined": 5}, "undefined"),
            ({"failed_parts": 51}, "fail_rise"),
        ],
    )
    def test_what_disappoints(self, counts, reason):
        judged = judge_probation(probation(**counts), self.CONFIG, 60, DIGEST)
        assert (judged.outcome, judged.reason) == (Outcome.FAILED, reason)

    @pytest.mark.parametrize("counts", [{"restarts": 3}, {"undefined": 4}, {"failed_parts": 50}])
    def test_at_the_limit_is_allowed(self, counts):
        assert judge_probation(probation(**counts), self.CONFIG, 60, DIGEST).outcome is Outcome.PASSED

    @pytest.mark.parametrize("counts", [{"late": 1}, {"restarts": 4}])
    def test_counts_are_judged_at_once(self, counts):
        report = probation(parts=1, failed_parts=0, **counts)
        assert judge_probation(report, self.CONFIG, 0.5, DIGEST).outcome is Outcome.FAILED

    def test_a_model_that_fails_everything_is_seen_after_a_few_parts(self):
        judged = judge_probation(probation(parts=12, failed_parts=12), self.CONFIG, 1, DIGEST)
        assert (judged.outcome, judged.reason) == (Outcome.FAILED, "fail_rise")
        assert "12 of 12 parts" in judged.detail
        assert "usual: 50 of 1000" in judged.detail

    def test_two_bad_parts_at_the_start_are_bad_luck(self):
        report = probation(parts=3, failed_parts=2, undefined=1)
        assert judge_probation(report, self.CONFIG, 1, DIGEST).outcome is Outcome.GO_ON

    def test_a_line_that_was_just_commissioned_has_no_usual_share(self):
        report = probation(failed_parts=150, baseline_parts=0, baseline_failed_parts=0)
        assert judge_probation(report, self.CONFIG, 60, DIGEST).outcome is Outcome.PASSED

    def test_few_parts_before_the_change_do_not_condemn_it(self):
        """0 of 5 before: the usual share may well be 40 %."""
        report = probation(failed_parts=60, baseline_parts=5, baseline_failed_parts=0)
        assert judge_probation(report, self.CONFIG, 60, DIGEST).outcome is Outcome.PASSED
        assert judge_probation({**report, "failed_parts": 140}, self.CONFIG, 60, DIGEST).reason == "fail_rise"

    def test_thirty_parts_before_the_change_are_taken_at_their_word(self):
        report = probation(failed_parts=50, baseline_parts=29, baseline_failed_parts=0)
        assert judge_probation(report, self.CONFIG, 60, DIGEST).outcome is Outcome.PASSED
        assert judge_probation({**report, "baseline_parts": 30}, self.CONFIG, 60, DIGEST).reason == "fail_rise"

    def test_nothing_passes_while_the_line_says_another_digest(self):
        for running in (OLD, None):
            report = probation(running_digest=running)
            assert judge_probation(report, self.CONFIG, 60, DIGEST).outcome is Outcome.GO_ON

    def test_and_after_a_minute_another_digest_is_a_failure(self):
        judged = judge_probation(probation(running_digest=OLD, parts=0, failed_parts=0), self.CONFIG, 61, DIGEST)
        assert (judged.outcome, judged.reason) == (Outcome.FAILED, "not_running")
        assert judged.detail == f"the line runs {OLD}, and not {DIGEST}"

    def test_a_line_that_does_not_say_is_waited_for(self):
        report = probation(running_digest=None, parts=0, failed_parts=0)
        assert judge_probation(report, self.CONFIG, 9999, DIGEST).outcome is Outcome.GO_ON

    def test_an_idle_line_is_not_a_fault(self):
        report = probation(parts=3, failed_parts=0)
        assert judge_probation(report, self.CONFIG, 1e6, DIGEST).outcome is Outcome.GO_ON

    def test_no_probation_wanted_still_asks_what_runs(self):
        none = ProbationConfig(parts=0, at_least_s=0)
        assert judge_probation(probation(parts=0, failed_parts=0), none, 0, DIGEST).outcome is Outcome.PASSED
        report = probation(parts=0, failed_parts=0, running_digest=OLD)
        assert judge_probation(report, none, 0, DIGEST).outcome is Outcome.GO_ON
