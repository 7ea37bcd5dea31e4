"""What goes over systemd's socket, read from a real one, by each of the two ways of sending."""

import os
import re
import socket
import time
from collections.abc import Iterator

import pytest

from appliance import systemd
from appliance.errors import ConfigError


@pytest.fixture(params=["systemd-python", "plain socket"])
def sender(request, monkeypatch):
    if request.param == "plain socket":
        monkeypatch.setattr(systemd, "_send", systemd._send_datagram)
    else:
        pytest.importorskip("systemd.daemon", reason="systemd-python is not installed")
        assert systemd._send is not systemd._send_datagram


@pytest.fixture(params=["file", "abstract"])
def manager(request, sender, tmp_path, monkeypatch) -> Iterator[socket.socket]:
    """A socket that takes the place of process 1."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        if request.param == "file":
            address = str(tmp_path / "notify")
            listening.bind(address)
        else:
            listening.bind("\0" + (name := f"appliance-test-{os.getpid()}"))
            address = f"@{name}"
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield listening


def received(manager: socket.socket) -> str:
    return manager.recv(8192).decode()


def test_readiness_comes_with_a_sentence_in_one_message(manager):
    assert systemd.ready("inspecting with surface 7")
    assert received(manager) == "READY=1\nSTATUS=inspecting with surface 7"


def test_status_watchdog_and_stopping_are_systemds_words(manager):
    assert systemd.status("idle")
    assert systemd.alive()
    assert systemd.stopping("draining")
    assert [received(manager) for _ in range(3)] == [
        "STATUS=idle",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=draining",
    ]


def test_reloading_carries_the_moment_on_systemds_clock(manager):
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert systemd.reloading()
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", received(manager))
    assert found
    assert before <= int(found[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_cannot_smuggle_in_another_assignment(manager):
    assert systemd.status("camera lost\nMAINPID=1\r\n")
    assert received(manager) == "STATUS=camera lost MAINPID=1"


def test_a_long_or_unprintable_status_still_arrives(manager):
    assert systemd.status("\udcff" + "\N{OK HAND SIGN}" * 5000)
    assert received(manager) == "STATUS=?" + "\N{OK HAND SIGN}" * 499


def test_without_systemd_nothing_is_sent_and_nothing_is_wrong(sender, monkeypatch, caplog):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.ready("inspecting")
    assert not caplog.records


def test_a_dead_socket_is_logged_and_does_not_stop_the_line(sender, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not systemd.ready("inspecting")
    assert "systemd did not take 'READY=1'" in caplog.text


def test_the_watchdog_period_is_in_seconds(monkeypatch):
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert systemd.watchdog_period_s() == 30.0


def test_a_child_is_not_watched_by_its_parents_watchdog(monkeypatch):
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert systemd.watchdog_period_s() is None


def test_without_a_watchdog_there_is_no_period(monkeypatch):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert systemd.watchdog_period_s() is None


@pytest.mark.parametrize("period", ["0", "-1", "30s", "", "1.5"])
def test_a_period_that_is_no_number_is_refused(period, monkeypatch):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", period)
    with pytest.raises(ConfigError, match="WATCHDOG_USEC"):
        systemd.watchdog_period_s()


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_credential_is_read_without_its_last_newline(credentials):
    (credentials / "mqtt-password").write_text("ge heim \n")
    assert systemd.credential("mqtt-password") == "ge heim "


def test_a_credential_that_nobody_loaded_is_none(credentials, monkeypatch):
    assert systemd.credential("mqtt-password") is None
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert systemd.credential("mqtt-password") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"x" * 65_537, "longer than 65536 bytes"), (b"\xff", "not UTF-8")],
    ids=["long", "binary"],
)
def test_what_cannot_be_a_password_is_refused(credentials, content, words):
    (credentials / "mqtt-password").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        systemd.credential("mqtt-password")


def test_a_credential_that_cannot_be_read_says_where_to_look(credentials):
    (credentials / "mqtt-password").mkdir()
    with pytest.raises(ConfigError, match="LoadCredential="):
        systemd.credential("mqtt-password")
