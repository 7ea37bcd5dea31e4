"""SIGTERM: what is under way is answered, nothing new is begun, nothing is left."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from running import until
from served import Clients, children_of

TURNS = 200_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered_and_the_exit_is_clean(server, bases, number):
    box = server(f"--model_base_path={bases / 'slow'}").up()
    client = box.client()
    assert client.predict("default", turns=1) == (1, [1])
    with ThreadPoolExecutor(5) as pool:
        over_grpc = [pool.submit(client.predict, "default", turns=TURNS) for _ in range(4)]
        over_rest = pool.submit(box.get, "/v1/models/default:predict", {"inputs": TURNS})
        until(lambda: _cpu_s(box.process.pid) > _cpu_s(box.process.pid, before=True) + 0.1, "them to be at work", 20)
        box.tell(number)
        assert [each.result(30) for each in over_grpc] == [(1, [TURNS])] * 4
        assert over_rest.result(30)[0] == 200
    assert box.exit_code() == 0
    assert "Traceback" not in box.log()


_seen = {}


def _cpu_s(pid, *, before=False):
    """Processor time used; `before`: at the first look."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    now = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return _seen.setdefault(pid, now) if before else now


def test_under_load_every_request_is_answered_or_refused_and_none_is_lost(server, bases):
    box = server(f"--model_base_path={bases / 'two'}", "--model_name=two").up()
    assert children_of(box.process.pid) == []
    with Clients(box, 16, "two", x=[1.0]) as clients:
        box.tell(signal.SIGTERM)
        assert box.exit_code(20) == 0
    assert {code for code, _ in clients.failures} <= {"UNAVAILABLE", "CANCELLED"}
    assert {tuple(values) for answers in clients.answers for _, values in answers} == {(2.5,)}


@pytest.mark.slow
def test_a_request_that_does_not_end_is_not_waited_for_for_ever(server, bases):
    box = server(f"--model_base_path={bases / 'slow'}", "--exit_timeout_s=0.5").up()
    client = box.client()
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(client.predict, "default", timeout_s=60, turns=2_000_000_000)
        until(lambda: _cpu_s(box.process.pid) > _cpu_s(box.process.pid, before=True) + 0.1, "it to be at work", 20)
        began = time.monotonic()
        box.tell(signal.SIGTERM)
        assert box.exit_code(20) == 0
        assert time.monotonic() - began < 12
        with pytest.raises(grpc.RpcError):
            endless.result(20)


def test_it_can_be_stopped_while_it_waits_for_a_model(server, tmp_path):
    box = server(f"--model_base_path={tmp_path / 'late'}")
    until(lambda: "Could not find base path" in box.log(), "it to wait", 20)
    box.tell(signal.SIGTERM)
    assert box.exit_code(10) == 0
    assert "Traceback" not in box.log()


def test_systemd_is_told(server, bases, tmp_path):
    address = tmp_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(address))
        listening.settimeout(20)
        box = server(f"--model_base_path={bases / 'two'}", environment=os.environ | {"NOTIFY_SOCKET": str(address)})
        assert listening.recv(4096).startswith(b"READY=1\nSTATUS=serving default")
        assert box.client().predict("default", x=[1.0]) == (1, [2.5])
        box.tell(signal.SIGTERM)
        assert listening.recv(4096).startswith(b"STOPPING=1")
    assert box.exit_code() == 0
