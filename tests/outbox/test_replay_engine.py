"""One range again, whatever happens on the way: in order, at least once, or named missing."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.outbox.chain import as_replayed
from appliance.outbox.row import GAP_TOPIC, Row, gap
from appliance.outbox.sender import replay
from appliance.outbox.sender.replay import ReplayState, Wanted
from appliance.outbox.sender.replaying import AT_ONCE_MAX, Replays

STREAM = "0193-life"
OWN = "base/top/replay"


def wanted(first=1, last=20, **changes):
    return replace(
        Wanted(
            id="r1",
            camera="top",
            stream=STREAM,
            first=first,
            last=last,
            topic="mes/answers",
            own_topic=OWN,
            correlation=b"c",
            request_id="q",
            who="mes",
            begun_utc_ns=1,
            held_first=1,
            held_last=1000,
        ),
        **changes,
    )


def result_row(number):
    payload = b'{"stream":"%s","sequence":%d,"replayed":false}' % (STREAM.encode(), number)
    return Row(number, "top", "result", STREAM, number, number, payload)


def gap_row(first, last):
    return Row(last, "top", GAP_TOPIC, STREAM, first, last, gap(STREAM, first, last, "outbox_full"))


class Disk:
    """Rows of one stream, some of which go away."""

    def __init__(self, rows):
        self.rows = list(rows)

    def feed(self, replays, budget=1000):
        for one in replays.next_to_read(budget):
            replays.feed(one, [row for row in self.rows if row.sequence <= one.last and row.through >= one.first])


def carry_out(replays, disk, limit=2000):
    """Everything, with a broker that takes everything; the messages."""
    heard = []
    for _ in range(limit):
        disk.feed(replays)
        one = replays.next_to_send()
        if one is None:
            if replays.is_idle:
                return heard
            continue
        replays.sent(one)
        heard.append(one)
        replays.received(one.key)
    raise AssertionError("the replay does not end")


def closing(heard):
    value = json.loads(heard[-1].payload)
    assert value["verb"] == "replay"
    return value


def numbers(heard):
    found = [json.loads(one.payload) for one in heard]
    return [one["sequence"] for one in found if "sequence" in one and "verb" not in one]


def test_a_range_comes_in_order_marked_and_ends_with_a_closing_message():
    replays = Replays()
    assert replays.begin(wanted(3, 6))
    heard = carry_out(replays, Disk(map(result_row, range(1, 11))))
    assert [one.payload for one in heard[:-1]] == [
        result_row(n).payload.replace(b'"replayed":false', b'"replayed":true') for n in (3, 4, 5, 6)
    ]
    assert {(one.topic, one.correlation) for one in heard} == {("mes/answers", b"c")}
    assert closing(heard) == {
        "schema_version": 1,
        "verb": "replay",
        "status": 200,
        "request_id": "q",
        "id": "r1",
        "camera": "top",
        "stream": STREAM,
        "from_sequence": 3,
        "to_sequence": 6,
        "sent": 4,
        "missing": [],
        "error": None,
    }
    assert replays.statuses()[0].state is ReplayState.DONE


def test_a_gap_in_the_range_is_sent_as_it_was_recorded():
    replays = Replays()
    replays.begin(wanted(4, 9))
    disk = Disk([result_row(4), gap_row(5, 7), result_row(8), gap_row(9, 30)])
    heard = carry_out(replays, disk)
    assert [one.payload for one in heard[:-1]] == [
        as_replayed(result_row(4).payload),
        gap_row(5, 7).payload,
        as_replayed(result_row(8).payload),
        gap_row(9, 30).payload,
    ]
    assert closing(heard)["missing"] == []


def test_what_is_not_there_any_more_or_not_yet_is_named():
    replays = Replays()
    replays.begin(wanted(1, 2000, held_first=11, held_last=30))
    disk = Disk(result_row(n) for n in range(11, 31) if n not in (15, 16, 20))
    said = closing(carry_out(replays, disk))
    assert said["missing"] == [[1, 10], [15, 16], [20, 20], [31, 2000]]
    assert said["sent"] == 17


def test_a_long_hole_costs_few_looks():
    replays = Replays()
    replays.begin(wanted(1, 10**6, held_last=10**6))
    disk = Disk([*map(result_row, range(1, 50)), result_row(10**6)])
    looks = 0
    while (one := replays.next_to_send()) is None or b'"verb"' not in one.payload:
        if one is None:
            disk.feed(replays)
            looks += 1
        else:
            replays.sent(one)
            replays.received(one.key)
    assert looks < 100
    assert json.loads(one.payload)["missing"] == [[50, 10**6 - 1]]


def test_more_holes_than_a_message_can_name_end_it_with_where_to_go_on(monkeypatch):
    monkeypatch.setattr(replay, "MISSING_MAX", 3)
    replays = Replays()
    replays.begin(wanted(1, 100))
    said = closing(carry_out(replays, Disk(map(result_row, range(2, 100, 2)))))
    assert said["status"] == 503
    assert said["missing"] == [[1, 1], [3, 3], [5, 5]]
    assert said["error"].endswith("ask on from sequence 7.")


def test_a_quarter_of_the_window_and_no_more():
    replays = Replays(window=20)
    replays.begin(wanted(1, 100))
    Disk(map(result_row, range(1, 101))).feed(replays)
    for _ in range(5):
        replays.sent(replays.next_to_send())
    assert replays.next_to_send() is None
    replays.start_again(8)
    for _ in range(2):
        replays.sent(replays.next_to_send())
    assert replays.next_to_send() is None


def test_several_take_turns_and_more_are_not_taken_on():
    replays = Replays()
    for n in range(AT_ONCE_MAX):
        assert replays.begin(wanted(1, 50, id=f"r{n}", topic=f"to/{n}"))
    assert not replays.begin(wanted(id="one more"))
    heard = carry_out(replays, Disk(map(result_row, range(1, 51))))
    assert sorted(one.topic for one in heard[:AT_ONCE_MAX]) == [f"to/{n}" for n in range(AT_ONCE_MAX)]
    assert sorted(one.topic for one in heard[100 : 100 + AT_ONCE_MAX]) == [f"to/{n}" for n in range(AT_ONCE_MAX)]
    for n in range(AT_ONCE_MAX):
        assert numbers([one for one in heard if one.topic == f"to/{n}"]) == list(range(1, 51))


def test_a_refused_topic_ends_it_and_that_is_told_on_the_box_s_own():
    replays = Replays()
    replays.begin(wanted(1, 50))
    disk = Disk(map(result_row, range(1, 51)))
    disk.feed(replays)
    first, second = (replays.next_to_send(), None)
    replays.sent(first)
    second = replays.next_to_send()
    replays.sent(second)
    replays.refused(first.key, "not authorized")
    replays.refused(second.key, "not authorized")  # it was under way, too
    heard = carry_out(replays, disk)
    assert [one.topic for one in heard] == [OWN]
    assert (closing(heard)["status"], closing(heard)["error"]) == (503, "not authorized")
    assert replays.statuses()[0].state is ReplayState.FAILED


def test_a_refused_box_s_own_topic_ends_it_in_silence():
    replays = Replays()
    replays.begin(wanted(1, 50, topic=OWN))
    Disk(map(result_row, range(1, 51))).feed(replays)
    replays.refused(replays.next_to_send().key, "too large")  # before it was sent
    assert replays.is_idle
    assert replays.statuses()[0].error == "too large"


def test_a_disk_that_fails_is_told_to_the_asker():
    replays = Replays()
    replays.begin(wanted(1, 50))
    replays.fail("r1", "The disk fails.")
    heard = carry_out(replays, Disk([]))
    assert [one.topic for one in heard] == ["mes/answers"]
    assert (closing(heard)["status"], closing(heard)["error"]) == (503, "The disk fails.")


ACTIONS = st.lists(
    st.one_of(
        st.just("feed"),
        st.just("send"),
        st.just("lost"),
        st.tuples(st.just("receipt"), st.integers(0, 10)),
        st.tuples(st.just("delete"), st.integers(1, 45)),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(
    holes=st.sets(st.integers(1, 45)),
    bounds=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    actions=ACTIONS,
    budget=st.integers(1, 60),
)
def test_every_number_is_sent_or_named_whatever_happens(holes, bounds, actions, budget):
    first, last = min(bounds), max(bounds)
    replays = Replays(window=16)
    replays.begin(wanted(first, last, held_first=1, held_last=45))
    disk = Disk(result_row(n) for n in range(1, 46) if n not in holes)
    under_way, had, firsts = [], [], []

    def send():
        one = replays.next_to_send()
        if one is None:
            return
        replays.sent(one)
        under_way.append(one)
        if one.payload not in firsts:
            firsts.append(one.payload)

    def receipt(nth):
        if under_way:
            one = under_way.pop(nth % len(under_way))
            had.append(one)
            replays.received(one.key)

    for action in actions:
        match action:
            case "feed":
                disk.feed(replays, budget)
            case "send":
                send()
            case "lost":
                under_way.clear()
                replays.start_again()
            case ("receipt", nth):
                receipt(nth)
            case ("delete", number):
                disk.rows = [row for row in disk.rows if row.sequence > number]
        assert len(under_way) <= 4
    for _ in range(400):
        disk.feed(replays, budget)
        send()
        receipt(0)
    assert replays.is_idle
    *results, said = [json.loads(payload) for payload in firsts]
    order = [one["sequence"] for one in results]
    missing = {n for a, b in said["missing"] for n in range(a, b + 1)}
    confirmed = {json.loads(one.payload).get("sequence") for one in had} - {None}
    assert order == sorted(order)
    assert set(order) <= confirmed
    assert confirmed | missing == set(range(first, last + 1))
    assert not confirmed & missing
    assert said["sent"] == len(confirmed)
