import logging
import threading

import pytest
from running import until
from serving.doubles import own_threads

from appliance.serving import ThreadExecutor, thread_executors

LIMIT_S = 10


def test_tasks_run_in_order_on_a_thread_that_bears_its_name():
    executor = ThreadExecutor("load")
    ran, done = [], threading.Event()
    executor.submit(lambda: ran.append(threading.current_thread().name))
    executor.submit(lambda: (ran.append("second"), done.set()))
    assert done.wait(LIMIT_S)
    assert executor.stop(LIMIT_S)
    assert ran == ["load-0", "second"]


def test_every_thread_is_prepared_before_its_first_task():
    prepared, both = [], threading.Barrier(2)
    executor = ThreadExecutor("load", threads=2, at_start=lambda: prepared.append(threading.current_thread().name))
    met = threading.Semaphore(0)
    for _ in range(2):
        executor.submit(lambda: (both.wait(LIMIT_S), met.release()))
    assert met.acquire(timeout=LIMIT_S)
    assert met.acquire(timeout=LIMIT_S)
    assert executor.stop(LIMIT_S)
    assert sorted(prepared) == ["load-0", "load-1"]


def test_a_task_that_fails_is_logged_and_the_next_one_runs(caplog):
    executor = ThreadExecutor("load")
    done = threading.Event()
    with caplog.at_level(logging.ERROR):
        executor.submit(lambda: 1 / 0)
        executor.submit(done.set)
        assert done.wait(LIMIT_S)
    assert executor.stop(LIMIT_S)
    assert "a task on load-0 failed" in caplog.text


def test_preparing_a_thread_may_fail_and_it_works_all_the_same(caplog):
    executor = ThreadExecutor("load", at_start=lambda: 1 / 0)
    done = threading.Event()
    executor.submit(done.set)
    assert done.wait(LIMIT_S)
    assert executor.stop(LIMIT_S)


def test_stopping_is_bounded_where_a_task_hangs_and_drops_what_was_not_begun():
    executor = ThreadExecutor("load")
    begun, go_on, ran = threading.Event(), threading.Event(), []
    executor.submit(lambda: (begun.set(), go_on.wait(LIMIT_S)))
    executor.submit(lambda: ran.append("never"))
    assert begun.wait(LIMIT_S)
    assert not executor.stop(0.01)
    executor.submit(lambda: ran.append("too late"))
    go_on.set()
    assert executor.stop(LIMIT_S)
    assert ran == []


def in_parallel(executor, threads):
    """Whether so many tasks run at the same time."""
    together, met = threading.Barrier(threads), threading.Semaphore(0)

    def meet():
        together.wait(LIMIT_S)
        met.release()

    for _ in range(threads):
        executor.submit(meet)
    return all(met.acquire(timeout=LIMIT_S) for _ in range(threads))


def threads_named(name):
    return own_threads(f"{name}-")


def test_more_threads_work_at_once_and_those_too_many_leave_without_losing_a_task():
    executor = ThreadExecutor("load")
    assert executor.resize(3) == 1
    assert in_parallel(executor, 3)
    ran = []
    for number in range(20):
        executor.submit(lambda number=number: ran.append(number))
    assert executor.resize(1) == 3
    until(lambda: len(threads_named("load")) == 1 and len(ran) == 20, "one thread, and every task", LIMIT_S)
    assert sorted(ran) == list(range(20))
    assert executor.resize(2) == 1
    assert in_parallel(executor, 2)
    assert executor.stop(LIMIT_S)


def test_a_task_that_runs_is_not_interrupted_by_fewer_threads():
    executor = ThreadExecutor("load", threads=2)
    begun, go_on, ended = threading.Semaphore(0), threading.Event(), []
    for number in range(2):
        executor.submit(lambda number=number: (begun.release(), go_on.wait(LIMIT_S), ended.append(number)))
    assert all(begun.acquire(timeout=LIMIT_S) for _ in range(2))
    executor.resize(1)
    go_on.set()
    until(lambda: len(ended) == 2, "both tasks to end", LIMIT_S)
    assert executor.stop(LIMIT_S)


def test_after_stopping_no_thread_is_started():
    executor = ThreadExecutor("load")
    assert executor.stop(LIMIT_S)
    executor.resize(5)
    assert threads_named("load") == []


def test_without_a_thread_nothing_would_ever_load():
    with pytest.raises(RuntimeError, match="0 threads"):
        ThreadExecutor("load", threads=0)


def test_loading_and_unloading_have_as_many_threads_as_they_are_given():
    build = thread_executors(load_threads=3, unload_threads=2)
    executors = {kind: build(kind) for kind in ("load", "unload")}
    assert [len(threads_named(kind)) for kind in executors] == [3, 2]
    for executor in executors.values():
        assert executor.stop(LIMIT_S)
