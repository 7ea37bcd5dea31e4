"""The installed service under a real systemd: it starts, is watched, dies, is stopped, and loses nothing.

A virtual camera takes a part every 100 ms; the broker and the subscriber are outside, as in a plant.
"""

import os
import re
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

from machine import wait_until


def assert_gapless(results) -> None:
    """All of one stream, from its first, none missing, in order. One may come twice: its id says so."""
    assert len({result["stream"] for result in results}) == 1
    numbers = list(dict.fromkeys(result["sequence"] for result in results))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len({result["result_id"] for result in results}) == len(numbers)


def test_it_becomes_ready_and_says_in_a_sentence_what_it_does(box, subscribe):
    subscriber = subscribe()
    box.start()
    assert box.show("ActiveState") == "active"
    assert_gapless(subscriber.wait_for(20))
    assert re.match(r"\d+ parts, \d+ passed; cameras: top online; model: demo 1 \(.+\);", box.show("StatusText"))
    assert subscriber.retained["availability"] == "online"


def test_every_part_is_judged_under_the_hardened_unit(box, subscribe):
    subscriber = subscribe()
    box.start()
    results = subscriber.wait_for(20)
    assert {result["evaluation"] for result in results} <= {"OK", "NotOK", "NotDecidable"}


def test_the_journal_knows_priority_logger_and_thread(box, subscribe):
    subscriber = subscribe()
    box.start()
    subscriber.wait_for(1)
    (online,) = (entry for entry in box.log() if "Camera top is online" in str(entry["MESSAGE"]))
    assert online["PRIORITY"] == "6"
    assert online["LOGGER"] == "appliance.inspection.acquisition"
    assert online["THREAD_NAME"].startswith("top/")
    assert online["SYSLOG_IDENTIFIER"] == "appliance"


def test_the_journal_finds_lines_by_their_fields(installed):
    program = """
import logging
from appliance import log
log.setup()
with log.fields(CAMERA="side"):
    logging.warning("overlapped trigger", extra={"TRIGGER_ID": 7})
logging.error("disk full")
"""
    installed.run("systemd-run", "--wait", "--unit=fields", "/opt/appliance/.venv/bin/python", "-c", program)
    (found,) = installed.journal("--unit=fields", "CAMERA=side", "TRIGGER_ID=7")
    assert (found["MESSAGE"], found["PRIORITY"]) == ("overlapped trigger", "4")
    assert [entry["MESSAGE"] for entry in installed.journal("--unit=fields", "PRIORITY=3")] == ["disk full"]


def test_the_broker_may_be_away_when_the_line_starts(box, broker, subscribe):
    broker.stop()
    box.start()
    wait_until(lambda: int(box.show("StatusText").split()[0]) >= 20, "20 parts without a broker")
    back = utc_now()
    broker.start()
    results = subscribe().wait_for(40)
    assert_gapless(results)
    assert results[0]["sequence"] == 1
    assert results[19]["exposure_time_utc"] < back


def test_a_hung_line_is_killed_and_started_anew_and_nothing_is_lost(box, subscribe):
    subscriber = subscribe()
    box.start()
    subscriber.wait_for(10)
    hung = box.main_pid
    box.kill("STOP")
    wait_until(lambda: box.show("NRestarts") == "1", "the watchdog to restart the service")
    wait_until(lambda: box.show("ActiveState") == "active", "the service to be back", timeout_s=60)
    assert box.main_pid != hung
    assert box.said("Watchdog timeout")
    assert_gapless(subscriber.wait_for(10))


def test_after_kill_9_it_is_back_and_nothing_recorded_is_lost(box, subscribe):
    subscriber = subscribe()
    box.start()
    for death in range(1, 4):
        subscriber.wait_for(10)
        box.kill("KILL")
        wait_until(lambda number=str(death): box.show("NRestarts") == number, "systemd to restart the service")
        wait_until(lambda: box.show("ActiveState") == "active", "the service to be back", timeout_s=60)
    assert_gapless(subscriber.wait_for(10))


def test_the_gateway_may_die_alone(box, subscribe):
    subscriber = subscribe()
    box.start()
    subscriber.wait_for(10)
    line = box.main_pid
    (gateway,) = (pid for pid in processes(box) if "appliance.gateway" in command_line(pid))
    os.kill(gateway, signal.SIGKILL)
    wait_until(lambda: box.said("The gateway ended with code -9"), "the line to notice")
    assert_gapless(subscriber.wait_for(30))
    assert (box.main_pid, box.show("NRestarts")) == (line, "0")


def test_stopping_delivers_everything_in_time(box, subscribe):
    subscriber = subscribe()
    box.start()
    subscriber.wait_for(10)
    started = time.monotonic()
    box.stop()
    assert time.monotonic() - started < 15
    assert (box.show("Result"), box.show("ExecMainStatus")) == ("success", "0")
    assert processes(box) == []
    wait_until(lambda: subscriber.retained["availability"] == "offline", "the box to say goodbye")
    stopped, delivered = utc_now(), len(subscriber.results)
    box.start()
    results = subscriber.wait_for(10)
    assert_gapless(results)
    assert results[delivered]["exposure_time_utc"] > stopped


def test_reload_changes_the_settings_and_keeps_the_process(box, subscribe):
    subscriber = subscribe()
    box.start()
    subscriber.wait_for(5)
    line = box.main_pid
    box.configure(deadline_ms=80)
    box.machine.systemctl("reload", "appliance")
    wait_until(lambda: any(r["deadline_ms"] == 80 for r in subscriber.results), "a result with the new deadline")
    assert (box.main_pid, box.show("NRestarts"), box.show("ActiveState")) == (line, "0", "active")
    assert_gapless(subscriber.results)


def test_a_bad_file_at_reload_is_said_and_the_line_goes_on(box, subscribe):
    subscriber = subscribe()
    box.start()
    subscriber.wait_for(5)
    line = box.main_pid
    box.configure(deadline_ms=-1)
    box.machine.systemctl("reload", "appliance")
    wait_until(lambda: box.said("deadline_ms"), "a sentence about the bad value")
    subscriber.wait_for(10)
    assert (box.main_pid, box.show("ActiveState")) == (line, "active")


def test_a_bad_file_at_start_is_said_and_mending_it_is_enough(box, subscribe):
    subscriber = subscribe()
    box.configure(deadline_ms=-1)
    box.machine.run("systemctl", "start", "--no-block", "appliance")
    wait_until(lambda: box.said("deadline_ms"), "a sentence about the bad value")
    wait_until(lambda: int(box.show("NRestarts")) >= 2, "systemd to go on trying")
    box.configure()
    subscriber.wait_for(5)


def utc_now() -> str:
    """In the form of a result's times, which sorts as text."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def processes(box) -> list[int]:
    """Everything that runs in the service's control group, with the numbers that it has outside."""
    group = box.show("ControlGroup")
    if not group:
        return []
    return [int(pid) for pid in box.machine.path(f"/sys/fs/cgroup{group}/cgroup.procs").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
