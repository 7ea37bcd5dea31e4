"""The installed service under a real systemd: it starts, is watched, dies, is stopped, and loses nothing.

A virtual camera takes a part every 100 ms; the broker and the subscriber are outside, as in a plant.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from machine import CHECKOUT
from running import Mosquitto, Subscriber, until

UNIT = "appliance.service"
RESTART_S = 90.0
"""From death to the next result: the watchdog's six seconds, then starting, on a machine that is busy."""
PREPARE_S = 240.0
"""A model is prepared with the time that everybody else leaves over."""


def more_results(subscriber, count: int) -> list[dict]:
    """All results so far, once `count` have come from now on."""
    enough = len(subscriber.results) + count
    until(lambda: len(subscriber.results) >= enough, f"{count} more results", RESTART_S)
    return list(subscriber.results)


def assert_nothing_lost(results: list[dict]) -> None:
    """All of one stream, in order from its first. One may come twice: its id says so."""
    assert len({result["stream"] for result in results}) == 1
    numbers = list(dict.fromkeys(result["sequence"] for result in results))
    assert numbers == list(range(1, 1 + len(numbers)))
    assert len({result["result_id"] for result in results}) == len(numbers)


def utc_now() -> str:
    """In the form of a result's times, which sorts as text."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@pytest.mark.timeout(2 * PREPARE_S)
def test_it_prepares_its_model_and_judges_every_part_behind_the_units_walls(fresh_box, subscriber):
    fresh_box.configure(deadline_ms=2000)  # not about time: this machine may be busy with other tests
    fresh_box.start(PREPARE_S)
    until(lambda: fresh_box.said("{name: surface version: 1} is available"), "the model", PREPARE_S)
    before = len(subscriber.results) + 5  # those may have been on their way
    judged = [result["evaluation"] for result in more_results(subscriber, 25)[before:]]
    assert set(judged) <= {"OK", "NotOK", "NotDecidable"}
    assert subscriber.latest["availability"] == b"online"


def test_it_says_in_a_sentence_what_it_does(box, subscriber):
    box.start()
    assert_nothing_lost(more_results(subscriber, 20))
    status = box.show("StatusText")
    assert re.match(r"\d+ parts, \d+ passed; cameras: top online; model: surface 1 \(.+\);", status)


def test_the_journal_knows_priority_logger_and_thread(box, subscriber):
    box.start()
    more_results(subscriber, 1)
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
    logging.getLogger("fields").warning("overlapped trigger", extra={"TRIGGER_ID": 7})
logging.getLogger("fields").error("disk full")
"""
    installed.path("/run/fields.py").write_text(program)
    installed.path("/run/systemd/system/fields.service").write_text(
        "[Service]\nType=oneshot\nExecStart=/opt/appliance/.venv/bin/python /run/fields.py\n"
    )
    installed.systemctl("daemon-reload")
    installed.systemctl("start", "fields")
    (found,) = installed.journal("LOGGER=fields", "CAMERA=side", "TRIGGER_ID=7")
    assert (found["MESSAGE"], found["PRIORITY"]) == ("overlapped trigger", "4")
    (found,) = installed.journal("LOGGER=fields", "PRIORITY=3")
    assert (found["MESSAGE"], found["SYSLOG_IDENTIFIER"]) == ("disk full", "appliance")


@pytest.mark.slow
def test_the_broker_may_be_away_when_the_line_starts(box, broker, subscriber):
    broker.stop()
    box.start()
    until(lambda: int(box.show("StatusText").split()[0]) >= 20, "20 parts without a broker")
    back = utc_now()
    broker.start()
    results = more_results(subscriber, 40)
    assert_nothing_lost(results)
    assert results[19]["exposure_time_utc"] < back


@pytest.mark.slow
def test_a_hung_line_is_killed_and_started_anew_and_nothing_is_lost(box, subscriber):
    box.start()
    more_results(subscriber, 10)
    hung = box.main_pid
    box.kill("STOP")
    box.wait_until_back_from(hung, RESTART_S)
    assert box.said("Watchdog timeout")
    assert_nothing_lost(more_results(subscriber, 10))


def test_after_kill_9_it_is_back_and_nothing_recorded_is_lost(box, subscriber):
    box.start()
    for _ in range(3):
        more_results(subscriber, 10)
        killed = box.main_pid
        box.kill("KILL")
        box.wait_until_back_from(killed, RESTART_S)
    assert_nothing_lost(more_results(subscriber, 10))


@pytest.mark.slow
def test_the_gateway_may_die_alone(box, subscriber):
    box.start()
    more_results(subscriber, 10)
    line = box.main_pid
    (gateway,) = (pid for pid in box.processes() if "appliance.gateway" in command_line(pid))
    os.kill(gateway, signal.SIGKILL)
    until(lambda: box.said("The gateway ended with code -9"), "the line to notice")
    assert_nothing_lost(more_results(subscriber, 30))
    assert (box.main_pid, box.restarts) == (line, 0)


def test_stopping_delivers_everything_in_time(box, subscriber):
    box.start()
    more_results(subscriber, 10)
    started = time.monotonic()
    box.stop()
    assert time.monotonic() - started < 15
    assert (box.show("Result"), box.show("ExecMainStatus")) == ("success", "0")
    assert box.processes() == []
    until(lambda: subscriber.latest["availability"] == b"offline", "the box to say goodbye")
    stopped, delivered = utc_now(), len(subscriber.results)
    box.start()
    results = more_results(subscriber, 10)
    assert_nothing_lost(results)
    assert results[delivered]["exposure_time_utc"] > stopped


@pytest.mark.slow
def test_reload_changes_the_settings_and_keeps_the_process(box, subscriber):
    box.start()
    more_results(subscriber, 5)
    line = box.main_pid
    box.configure(deadline_ms=80)
    box.reload()
    until(lambda: subscriber.results[-1]["deadline_ms"] == 80, "a result with the new deadline")
    assert (box.main_pid, box.restarts, box.is_active) == (line, 0, True)
    assert_nothing_lost(subscriber.results)


@pytest.mark.slow
def test_an_update_stops_the_line_delivers_and_starts_it_again(box, subscriber):
    box.start()
    more_results(subscriber, 5)
    old = box.main_pid
    said = box.machine.run(str(CHECKOUT / "deploy" / "install"), timeout_s=120).stdout
    assert "parts that come meanwhile are not inspected" in said
    assert box.is_active
    assert box.main_pid != old
    assert_nothing_lost(more_results(subscriber, 5))


@pytest.fixture
def guarded_broker(tmp_path):
    """Lets anybody read, and only `box`, with its password, write."""
    (tmp_path / "acl").write_text("topic read #\nuser box\ntopic readwrite test/#\n")
    (tmp_path / "passwords").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", tmp_path / "passwords", "box", "ge heim"], check=True, timeout=10)
    started = Mosquitto(
        tmp_path / "guarded", extra=f"acl_file {tmp_path}/acl\npassword_file {tmp_path}/passwords\n"
    ).start()
    yield started
    started.stop()


def test_the_brokers_password_comes_from_a_file_that_only_root_can_read(box, guarded_broker):
    secret = box.machine.path("/etc/appliance/mqtt-password")
    secret.write_text("ge heim\n")
    secret.chmod(0o600)
    drop_in = box.machine.path(f"/etc/systemd/system/{UNIT}.d/mqtt-password.conf")
    shutil.copy(CHECKOUT / "systemd" / "drop-ins" / "mqtt-password.conf", drop_in)
    box.machine.systemctl("daemon-reload")
    try:
        box.configure(broker_port=guarded_broker.port, mqtt='username = "box"\npassword_file = "mqtt-password"')
        listening = Subscriber(guarded_broker.port)
        box.start()
        more_results(listening, 5)
        listening.close()
    finally:
        drop_in.unlink()
        box.machine.systemctl("daemon-reload")


@pytest.mark.slow
def test_a_bad_file_at_reload_is_said_and_the_line_goes_on(box, subscriber):
    box.start()
    more_results(subscriber, 5)
    line = box.main_pid
    box.configure(deadline_ms=-1)
    box.reload()
    until(lambda: box.said("recipes.part.deadline_ms"), "a sentence about the bad value")
    more_results(subscriber, 10)
    assert (box.main_pid, box.is_active) == (line, True)


@pytest.mark.slow
def test_a_bad_file_at_start_is_said_and_mending_it_is_enough(box, subscriber):
    box.configure(deadline_ms=-1)
    box.machine.systemctl("start", "--no-block", "appliance")
    until(lambda: box.said("recipes.part.deadline_ms"), "a sentence about the bad value")
    until(lambda: box.restarts >= 2, "systemd to go on trying")
    box.configure()
    more_results(subscriber, 5)
