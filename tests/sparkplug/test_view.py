"""The view against real brokers: several servers, refusals, two boxes with one id, a stop at any moment."""

import threading
import time
from contextlib import closing

import pytest
from running import free_port, until
from sparkplug.google import parse
from sparkplug.plant import HOST, NCMD, NODE, STATE, Box, now_ms, of, rebirth_command, server, state, values

from appliance.mqtt.connection import Granted, Opened
from appliance.sparkplug import session
from appliance.sparkplug.follower import Follower
from appliance.sparkplug.node import Node
from appliance.sparkplug.telling import Telling

pytestmark = pytest.mark.usefixtures("hurried")


def test_the_node_goes_where_its_host_is(tmp_path, monkeypatch):
    # Long enough for a busy machine to note the end of one connection before the beginning of the next.
    monkeypatch.setattr(session, "_MOVE_FIRST_S", 0.3)
    monkeypatch.setattr(session, "_MOVE_LAST_S", 0.3)
    with server(tmp_path / "a") as (_, tap_a, ear_a), server(tmp_path / "b") as (_, tap_b, ear_b):
        servers = (f"127.0.0.1:{free_port()}", f"127.0.0.1:{tap_a.port}", f"127.0.0.1:{tap_b.port}")
        begun_ms = now_ms()
        ear_b.says(STATE, state(True, begun_ms), qos=1, retain=True)
        with closing(Box(tmp_path / "outbox", 1, "5", primary_host=HOST, servers=servers).start()) as box:
            ear_b.wait("/NBIRTH/")  # past one that is not there, and one that knows no host
            assert ear_a.on("/NBIRTH/") == []
            ear_a.says(STATE, state(True, begun_ms), qos=1, retain=True)
            ear_b.says(STATE, state(False, begun_ms), qos=1, retain=True)
            ear_a.wait("/NBIRTH/")
            box.parts.pass_by("top")
            ear_a.wait("/DDATA/")
            assert box.view.state().server == servers[1]
            assert box.view.state().host_online is True
            box.stop()
            until(lambda: tap_a.open_now == tap_b.open_now == 0, "the end of the last connection", 10)
            both = sorted(
                (one for one in (*tap_a.packets, *tap_b.packets) if one.kind in {"CONNECT", "END"}),
                key=lambda one: one.utc_ms,
            )
            assert tap_a.open_most == tap_b.open_most == 1
            assert [one.kind for one in both] == ["CONNECT", "END"] * (len(both) // 2)  # never at two at once
            numbers = [values(one.will.payload)["bdSeq"] for one in both if one.kind == "CONNECT"]
            assert numbers == list(range(len(numbers)))


def test_two_boxes_with_one_id_are_told(tmp_path):
    """A copy of a disk has the client id, too: the broker lets one of them in at a time, and both say so."""
    with server(tmp_path / "a") as (_, tap, ear), closing(Box(tmp_path / "one", tap.port, "5").start()) as one:
        ear.wait("/NBIRTH/")
        (tmp_path / "two").mkdir()
        (tmp_path / "two/client-id").write_bytes((tmp_path / "one/client-id").read_bytes())
        with closing(Box(tmp_path / "two", tap.port, "5").start()) as two:
            until(
                lambda: any("client-id" in (it.view.state().problem or "") for it in (one, two)),
                "the trouble to be told",
                30,
            )


def test_without_a_primary_host_it_is_born_at_once_and_names_the_newest_part(tmp_path):
    with server(tmp_path / "a") as (_, tap, ear), closing(Box(tmp_path / "o", tap.port, "5")) as box:
        box.parts.pass_by("top", 3)
        box.start()
        births = ear.wait("/DBIRTH/", 3)
        top = next(one for one in births if one.topic == of("DBIRTH", "top"))
        assert values(top.payload)["Inspection/ResultId"] == "id-2"
        assert values(top.payload)["Camera/Serial"] == "sn-top"
        box.parts.pass_by("top")
        (told,) = ear.wait("/DDATA/")  # not those from before the start
        assert values(told.payload)["Inspection/ResultId"] == "id-3"
        until(lambda: box.view.state().problem is None, "no problem", 5)
        assert box.view.state().host_online is None
        assert box.view.state().births == 1


def test_a_backlog_is_bounded_to_its_newest(tmp_path, monkeypatch):
    monkeypatch.setattr("appliance.sparkplug.follower.BACKLOG_MAX", 10)
    with server(tmp_path / "a") as (_, tap, ear), closing(Box(tmp_path / "o", tap.port, "5").start()) as box:
        ear.wait("/DBIRTH/", 3)
        tap.refuse()
        tap.cut()
        until(lambda: not box.view.state().connected, "the end of the connection", 10)
        box.parts.pass_by("top", 30)
        tap.accept()
        told = ear.wait("/DDATA/", 10)
        box.parts.pass_by("side")
        until(lambda: ear.on("/DDATA/side") or ear.on(of("DDATA", "side")), "the part behind them", 10)
        assert [values(one.payload)["Inspection/ResultId"] for one in told[:10]] == [
            f"id-{nth}" for nth in range(20, 30)
        ]
        assert len(ear.on(of("DDATA", "top"))) == 10
        assert all(metric.is_historical for metric in parse(told[0].payload).metrics)


def test_a_broker_that_is_away_costs_nothing_and_is_told(tmp_path):
    with closing(Box(tmp_path / "o", free_port(), "5").start()) as box:
        until(lambda: "does not answer" in (box.view.state().problem or ""), "the trouble to be told", 10)
        begin = time.monotonic()
        for _ in range(1000):
            box.view.notify(1)
            box.report()
        assert time.monotonic() - begin < 2.0
        assert not box.view.state().connected


class Refusing:
    """A session whose server lets us read nothing."""

    number = 0
    server = "broker:1883"
    is_open = True

    def __init__(self):
        self._events = [Opened(1, None), Granted((NCMD,))]
        self.said = []

    def serve(self, timeout_s, wake):
        events, self._events = self._events[:1], self._events[1:]
        return events

    def subscribe(self, topics):
        pass

    def publish(self, topic, payload, qos):
        self.said.append(topic)
        return 1

    def problem(self):
        return None

    def settled(self):
        pass

    def close(self):
        pass


def test_a_broker_that_hides_commands_is_told(tmp_path):
    refusing = Refusing()
    telling = Telling(Node("acme-linz", NODE, []), refusing, Follower(tmp_path), 1.0)
    assert telling.begin()
    for _ in range(2):
        telling.step(None, 0, None)
    assert refusing.said == [of("NBIRTH")]  # what it says is heard all the same
    assert NCMD in telling.problem()
    assert "access list" in telling.problem()
    telling.close()


def test_many_threads_report_while_hosts_ask_for_births(tmp_path):
    """One sequence over all of it, whoever calls at the same time."""
    with server(tmp_path / "a") as (_, tap, ear), closing(Box(tmp_path / "o", tap.port, "5").start()) as box:
        ear.wait("/DBIRTH/", 3)
        ended = threading.Event()

        def report():
            while not ended.is_set():
                box.report()

        threads = [threading.Thread(target=report) for _ in range(2)]
        for thread in threads:
            thread.start()
        for nth in range(30):
            box.parts.pass_by("top" if nth % 2 else "side")
            if nth % 10 == 5:
                ear.says(NCMD, rebirth_command())
        ended.set()
        for thread in threads:
            thread.join()
        ear.wait("/DDATA/", 30)
        last = None
        for one in [it for it in list(ear.heard) if it.topic != NCMD]:
            seq = parse(one.payload).seq
            assert seq == (0 if "/NBIRTH/" in one.topic else (last + 1) % 256)
            last = seq
        assert len(ear.on(f"/NBIRTH/{NODE}")) >= 2


def test_it_stops_before_it_has_begun(tmp_path):
    with closing(Box(tmp_path / "o", free_port(), "5")) as box:
        box.start()
        box.stop()
        box.start()
        begin = time.monotonic()
        box.stop(1.0)
        assert time.monotonic() - begin < 3.0
