"""A candidate that crashes, hangs, takes too much or tries what it should not: each has its name; nobody is hurt."""

import tempfile
from pathlib import Path

import pytest

from appliance.sandbox import landlock


@pytest.mark.parametrize(
    ("kind", "stage", "reason", "said"),
    [
        ("abort", "loading", "crashed", "SIGABRT"),
        pytest.param("segfault", "loading", "crashed", "SIGSEGV", marks=pytest.mark.slow),
        pytest.param("exit", "loading", "crashed", "exit status 1", marks=pytest.mark.slow),
        ("defect", "loading", "crashed", "ZeroDivisionError"),
        ("refuse", "loading", "load_error", "Frobnicate"),
        ("nonsense", "loading", "crashed", "nonsense"),
        ("abort-later", "accepting", "crashed", "SIGABRT"),
        ("not-numbers", "loading", "not_finite", "recipes.plate"),
        ("numbers-once", "accepting", "not_finite", "good.jpg"),
    ],
)
def test_each_end_has_its_name(kind, stage, reason, said, bench):
    failed = bench.start(stand_in=kind).failed()
    assert (failed["stage"], failed["reason"]) == (stage, reason)
    assert said in failed["detail"]


def test_one_that_hangs_is_ended(bench):
    failed = bench.start("--patience-s", "1", stand_in="hang-later").failed()
    assert (failed["stage"], failed["reason"]) == ("accepting", "hung")


def test_one_that_takes_more_memory_than_allowed_is_ended(bench):
    bench.configure(resources="model_memory_mb = 300")
    failed = bench.start(stand_in="take-memory").failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "oom")
    assert "resources.model_memory_mb allows 300" in failed["detail"]


def test_one_that_takes_all_at_once_runs_into_the_limit(bench):
    bench.configure(resources="model_memory_mb = 300")
    failed = bench.start(stand_in="run-out").failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "oom")


def test_stop_is_heard_while_it_loads(bench):
    examiner = bench.start(stand_in="hang")
    examiner.link.send("stop", {})
    assert examiner.ended(10) == 0


def test_it_ends_with_the_delivery_process_while_it_loads(bench):
    examiner = bench.start(stand_in="hang")
    examiner.link.close()
    assert examiner.ended(20) == 3


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock does not keep all of it from happening")
def test_what_a_model_should_not_do_comes_to_nothing(bench):
    before = bench.config.read_text()
    failed = bench.start(stand_in="misuse").failed()
    assert eval(failed["detail"]) == dict.fromkeys(
        ("write", "config", "version", "kill", "priority", "network", "control"), "PermissionError"
    )
    assert bench.config.read_text() == before


def test_nothing_is_left_of_it(bench):
    before = set(Path(tempfile.gettempdir()).glob("examiner-*"))
    bench.start(stand_in="abort").failed()
    assert set(Path(tempfile.gettempdir()).glob("examiner-*")) <= before
