"""The edge node without a network: its table of states, its numbers, and what it says in whatever order things come."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparkplug.google import parse
from sparkplug.plant import NCMD, of, rebirth_command, state, values

from appliance.outbox import smallfile
from appliance.sparkplug.bdseq import FILE_NAME, SessionNumbers
from appliance.sparkplug.device import HELD_MAX
from appliance.sparkplug.host import Host
from appliance.sparkplug.node import DeviceNews, Leave, Moment, Node, Say, Subscribe
from appliance.sparkplug.states import Act, Event, State, step

_S, _E, _A = State, Event, Act
_CHANGES = {
    (_S.AWAY, _E.OPENED): (_S.SUBSCRIBING, _A.SUBSCRIBE),
    (_S.AWAY, _E.LEAVE): (_S.ENDED, _A.NOTHING),
    (_S.SUBSCRIBING, _E.GRANTED): (_S.WAITING, _A.NOTHING),
    (_S.WAITING, _E.HOST_ONLINE): (_S.LIVE, _A.BEAR),
    (_S.WAITING, _E.HOST_SILENT): (_S.AWAY, _A.DIE),
    (_S.LIVE, _E.REBIRTH): (_S.LIVE, _A.BEAR),
    (_S.LIVE, _E.REBIRTH_SOON): (_S.PAUSED, _A.NOTHING),
    (_S.PAUSED, _E.REBIRTH): (_S.LIVE, _A.BEAR),
    **{(one, _E.CLOSED): (_S.AWAY, _A.NOTHING) for one in (_S.SUBSCRIBING, _S.WAITING, _S.LIVE, _S.PAUSED)},
    **{(one, _E.LEAVE): (_S.ENDED, _A.DIE) for one in (_S.SUBSCRIBING, _S.WAITING, _S.LIVE, _S.PAUSED)},
    **{(one, _E.HOST_OFFLINE): (_S.AWAY, _A.DIE) for one in (_S.LIVE, _S.PAUSED)},
}


def test_table():
    for before, event in itertools.product(State, Event):
        assert step(before, event) == _CHANGES.get((before, event), (before, Act.NOTHING)), (before, event)


def test_session_numbers_begin_with_nought_and_come_around(tmp_path):
    taken = []
    for life in range(3):
        numbers = SessionNumbers(tmp_path)
        for _ in range(4):
            taken.append(numbers.take())
            numbers.used()
        if life == 1:
            smallfile.replace(tmp_path / FILE_NAME, {"bd_seq": 253})
    assert taken == [0, 1, 2, 3, 4, 5, 6, 7, 254, 255, 0, 1]


def test_a_session_number_that_nobody_saw_is_not_left_out(tmp_path):
    numbers = SessionNumbers(tmp_path)
    assert [numbers.take(), numbers.take(), numbers.take()] == [0, 0, 0]
    numbers.used()
    assert numbers.take() == 1


def test_a_disk_that_fails_stops_no_session(tmp_path, caplog):
    numbers = SessionNumbers(tmp_path / "is not there")
    assert numbers.take() == 0
    numbers.used()
    assert numbers.take() == 1
    assert "bdSeq" in caplog.text


def test_a_host_at_another_server_has_another_clock():
    host = Host("scada")
    host.came_to("a")
    assert host.heard(state(True, 2000))
    assert not host.heard(state(False, 1999))
    assert host.is_online
    assert host.heard(state(False, 2000))
    host.came_to("b")
    assert host.is_online is None
    assert host.heard(state(True, 1000))
    host.came_to("a")
    assert not host.heard(state(True, 1000))
    assert host.is_online is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"ONLINE",
        b"[1]",
        b'{"online":1,"timestamp":5}',
        b'{"online":true}',
        b'{"online":true,"timestamp":true}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_state_is_ignored(payload):
    host = Host("scada")
    host.came_to("a")
    assert not host.heard(payload)


def at(second):
    return Moment(1_700_000_000_000 + int(second * 1000), second)


def live(**changes):
    node = Node("g", "n", ["top", "side"], models=["surface"], **changes)
    node.report({}, {"top": DeviceNews(is_alive=True, values={})}, at(0))
    node.opened(0, "server", at(1))
    node.granted(at(1))
    return node


def verbs(outputs):
    return [one.topic.split("/")[2] if isinstance(one, Say) else type(one).__name__ for one in outputs]


def test_a_storm_of_rebirths_is_held_back_and_data_with_it():
    node = live()
    command = ("spBv1.0/g/NCMD/n", rebirth_command())
    assert verbs(node.received(*command, at(2))) == ["NBIRTH", "DBIRTH"]
    assert node.received(*command, at(2.2)) == []
    assert node.part("top", {"Inspection/Verdict": "pass"}, 1, at(2.3), is_historical=False) == []
    assert node.report({"Health/State": "FAILURE"}, {"side": DeviceNews(is_alive=True, values={})}, at(2.3)) == []
    assert node.received(*command, at(2.4)) == []
    assert node.tick(at(2.9)) == []
    assert node.wait_s(at(2.9)) == pytest.approx(0.1)
    outputs = node.tick(at(3.0))
    assert verbs(outputs) == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert values(outputs[0].payload)["Health/State"] == "FAILURE"
    assert node.births == 3


def test_a_camera_that_is_away_for_long_keeps_its_newest_parts():
    node = live()
    for nth in range(HELD_MAX + 5):
        assert node.part("side", {"Inspection/Sequence": nth}, nth, at(2), is_historical=False) == []
    outputs = node.report({}, {"side": DeviceNews(is_alive=True, values={})}, at(3))
    assert verbs(outputs) == ["DBIRTH"] + ["DDATA"] * HELD_MAX
    assert values(outputs[0].payload)["Inspection/Sequence"] == HELD_MAX + 4
    assert [values(one.payload)["Inspection/Sequence"] for one in outputs[1:3]] == [5, 6]


def test_only_what_a_birth_named_is_told():
    node = live()
    assert node.part("nobody", {"Inspection/Sequence": 1}, 1, at(2), is_historical=False) == []
    (said,) = node.part("top", {"Inspection/Sequence": 1, "else": 2}, 1, at(2), is_historical=False)
    assert set(values(said.payload)) == {"Inspection/Sequence"}
    assert node.report({"Models/other/Version": 2}, {"nobody": DeviceNews(is_alive=True, values={})}, at(2)) == []


def test_a_server_without_its_host_is_left_only_where_there_is_another():
    alone = Node("g", "n", ["top"], host=Host("scada"))
    several = Node("g", "n", ["top"], host=Host("scada"), has_other_servers=True)
    for node in (alone, several):
        assert verbs(node.opened(3, "a", at(1))) == ["Subscribe"]
        assert node.granted(at(1)) == []
    assert alone.tick(at(1000)) == []
    assert several.tick(at(5.9)) == []
    assert verbs(several.tick(at(6.1))) == ["NDEATH", "Leave"]
    several.opened(4, "b", at(7))
    several.granted(at(7))
    several.received("spBv1.0/STATE/scada", state(False, 5), at(7.5))
    assert verbs(several.tick(at(7.5))) == ["NDEATH", "Leave"]


_STEPS = st.lists(
    st.sampled_from(
        ["open", "grant", "on", "off", "rebirth", "part", "part", "dead", "alive", "news", "tick", "close", "leave"]
    ),
    max_size=60,
)


@given(_STEPS, st.booleans())
def test_whatever_happens_it_keeps_the_order(steps, waits):
    """Births first, one sequence, no data of the dead; nothing without connection, host and birth."""
    node = Node("acme-linz", "line3-box1", ["top", "side"], host=Host("h") if waits else None)
    is_open = is_born = False
    online_ms = seq = number = 0
    alive = set()
    for second, one in enumerate(steps):
        now = at(second / 4)
        outputs = []
        match one:
            case "open" if not is_open and node.state is State.AWAY:
                is_open, is_born = True, False
                number += 1
                outputs = node.opened(number, "server", now)
            case "grant" if node.state is State.SUBSCRIBING:
                outputs = node.granted(now)
            case "on" | "off" if is_open:
                online_ms += 1
                outputs = node.received("spBv1.0/STATE/h", state(one == "on", online_ms), now)
            case "rebirth" if is_open:
                outputs = node.received(NCMD, rebirth_command(), now)
            case "part":
                outputs = node.part("top", {"Inspection/Sequence": second}, 5, now, is_historical=False)
            case "dead" | "alive":
                outputs = node.report({}, {"top": DeviceNews(is_alive=one == "alive", values={})}, now)
            case "news":
                outputs = node.report({"Outbox/Waiting": second}, {}, now)
            case "tick":
                outputs = node.tick(now)
            case "close" if is_open:
                is_open = False
                node.closed(now)
            case "leave":
                outputs = node.leave(now)
        for output in outputs:
            assert is_open
            if isinstance(output, Leave):
                is_open = is_born = False
            elif isinstance(output, Subscribe):
                assert not is_born
            elif output.topic == of("NDEATH"):
                assert values(output.payload) == {"bdSeq": number}
            else:
                payload = parse(output.payload)
                if output.topic == of("NBIRTH"):
                    is_born, seq, alive = True, 0, set()
                    assert values(output.payload)["bdSeq"] == number
                assert is_born
                assert payload.seq == seq
                seq = (seq + 1) % 256
                if "/DBIRTH/" in output.topic:
                    alive.add(output.topic[-3:])
                elif "/DDATA/" in output.topic:
                    assert output.topic[-3:] in alive
                elif "/DDEATH/" in output.topic:
                    alive.remove(output.topic[-3:])
