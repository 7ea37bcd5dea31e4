import logging
import threading

from appliance.serving import ThreadExecutor

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
