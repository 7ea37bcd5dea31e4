"""Many threads for the first load, few afterwards."""

import threading

from appliance.server_core import LoadThreads


def test_it_is_as_wide_as_it_is_told_to_be():
    threads = LoadThreads("test", 1)
    threads.set_threads(3)
    meeting = threading.Barrier(4)
    for _ in range(3):
        threads.submit(lambda: meeting.wait(10) and None)
    meeting.wait(10)  # three run at the same time, or this fails
    assert threads.stop(10)


def test_what_was_submitted_before_it_became_narrow_is_run():
    gate, ran = threading.Event(), threading.Semaphore(0)
    threads = LoadThreads("test", 4)
    for _ in range(8):
        threads.submit(lambda: gate.wait(10) and ran.release())
    threads.set_threads(1)
    gate.set()
    assert all(ran.acquire(timeout=10) for _ in range(8))
    threads.submit(ran.release)
    assert ran.acquire(timeout=10)
    assert threads.stop(10)


def test_a_task_that_fails_ends_no_thread(caplog):
    threads = LoadThreads("test", 1)
    done = threading.Event()
    threads.submit(lambda: 1 / 0)
    threads.submit(done.set)
    assert done.wait(10)
    assert "a task on test-0 failed" in caplog.text
    assert threads.stop(10)
    threads.submit(lambda: done.clear() or None)
    assert done.is_set()
