"""Programs that say how far they have come: one that falls behind is told of, and that ends by itself."""

import json
import logging
import time
from contextlib import closing

import pytest
from outbox.brokers import Broker
from outbox.messages import append
from outbox.plants import Mes, Station
from running import until

from appliance.gateway import consumers as gateway_consumers
from appliance.gateway.consumers import ConsumerWatch, _left
from appliance.outbox import consumers
from appliance.outbox.consumers import Confirmed, Consumers
from appliance.outbox.history import StreamSpan
from appliance.outbox.reader import Reader
from appliance.steering.inbox import Mail

LATE_S = 600.0


class Watched:
    """A watch with its clocks in the test's hand; the broker has everything that is recorded."""

    def __init__(self, outbox, folder, names=("mes",)):
        self.outbox = outbox
        self.folder = folder
        self.passed_s = 0.0
        self.connected = True
        self.has_all = True
        self.lags, self.reasons = (), ()
        self.names = names
        self.watch = self._new()

    def _new(self):
        return ConsumerWatch(
            self.folder,
            self.names,
            ("top", "side"),
            LATE_S,
            published=lambda: self.outbox.record.recorded[-1].row if self.has_all else 0,
            connected=lambda: self.connected,
            report=self._report,
            clock_ns=lambda: round((1000 + self.passed_s) * 1e9),
            utc_ns=lambda: time.time_ns() + round(self.passed_s * 1e9),
        )

    def _report(self, lags, reasons):
        self.lags, self.reasons = lags, reasons

    def begin(self, monkeypatch):
        """As start(), and every look is the test's."""
        monkeypatch.setattr(self.watch._thread, "start", lambda: None)
        self.watch.start()
        self.watch.look()
        return self

    def restart(self, monkeypatch):
        self.watch.stop()
        self.watch = self._new()
        self.begin(monkeypatch)

    def after(self, seconds):
        self.passed_s += seconds
        self.watch.look()
        return self.lags

    def says(self, sequence, *, camera="top", stream=None, name="mes", payload=None):
        stream = stream or self.outbox.record.recorded[0].stream
        raw = json.dumps({"stream": stream, "sequence": sequence}).encode() if payload is None else payload
        self.watch.take(Mail(f"ack/{name}/{camera}", raw, retained=True))
        self.watch.look()


@pytest.fixture
def outbox(open_outbox):
    one = open_outbox()
    append(one, 10)
    return one


@pytest.fixture
def watched(outbox, folder, monkeypatch):
    one = Watched(outbox, folder).begin(monkeypatch)
    yield one
    one.watch.stop()


def test_one_that_falls_behind_is_told_of_until_it_has_caught_up(watched):
    watched.says(7)
    watched.after(LATE_S - 60)
    assert watched.reasons == []
    (lag,) = watched.after(120)
    assert (lag.consumer, lag.camera, lag.results, lag.is_late) == ("mes", "top", 3, True)
    assert LATE_S < lag.behind_s < LATE_S + 120
    (reason,) = watched.reasons
    assert (reason.code, reason.component, reason.health.value) == (
        "CONSUMER_BEHIND",
        "consumer/mes",
        "MAINTENANCE_REQUIRED",
    )
    assert "mes has not confirmed 3 results of camera top, the oldest for 11 min" in reason.message
    watched.says(10)
    assert (watched.reasons, watched.lags[0].results, watched.lags[0].behind_s) == ([], 0, 0.0)


def test_who_was_never_heard_of_is_behind_from_the_start_of_the_box(watched, monkeypatch):
    watched.after(10_000)
    assert "was never heard of" in watched.reasons[0].message
    watched.restart(monkeypatch)  # the results are old, the box is not
    watched.after(LATE_S - 1)
    assert watched.reasons == []
    watched.after(2)
    assert watched.reasons[0].code == "CONSUMER_BEHIND"


def test_without_a_broker_and_just_after_it_came_back_nobody_is_called_late(watched):
    watched.says(1)
    watched.connected = False
    watched.after(2 * LATE_S)
    assert watched.reasons == []
    watched.connected = True
    watched.after(1)
    assert watched.reasons == []
    watched.after(gateway_consumers.GRACE_S + 1)
    assert len(watched.reasons) == 1


def test_what_is_not_published_is_not_its_fault(watched):
    watched.has_all = False
    watched.after(2 * LATE_S)
    assert (watched.reasons, watched.lags[0].behind_s, watched.lags[0].results) == ([], 0.0, 10)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sequence": 11}, "sequence 11 was never published; the newest of its stream is 10"),
        ({"sequence": 3, "stream": "0193-other"}, "the stream '0193-other' is none of this camera's"),
        ({"sequence": -1}, "no whole number"),
        ({"sequence": 3, "payload": b"3"}, "names no stream"),
        ({"sequence": 3, "payload": b"{"}, "no JSON"),
        ({"sequence": 3, "payload": b" " * 2000 + b"{}"}, "2002 bytes"),
        ({"sequence": 3, "camera": "left"}, "cameras that are none of this box"),
    ],
)
def test_what_cannot_be_is_said_once_and_not_believed(watched, caplog, changes, why):
    watched.says(5)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            watched.says(**changes)
    assert [record.message for record in caplog.records if why in record.message] == [
        record.message for record in caplog.records
    ]
    assert len(caplog.records) == 1
    assert watched.lags[0].results == 5


def test_a_strangers_word_does_not_count(watched):
    watched.says(9, name="other")
    assert watched.lags[0].confirmed is None


def test_the_writer_learns_from_which_row_on_to_keep(watched, folder, outbox, monkeypatch):
    rows = {one.sequence: one.row for one in outbox.record.recorded}
    assert consumers.read(folder) == Consumers({"mes": {}}, rows[1])
    watched.says(7)
    stream = outbox.record.recorded[0].stream
    assert consumers.read(folder) == Consumers({"mes": {"top": Confirmed(stream, 7)}}, rows[8])
    watched.restart(monkeypatch)  # and it does not depend on the broker's memory
    assert watched.lags[0].results == 3
    watched.says(10)
    assert consumers.read(folder).unconfirmed == rows[10] + 1
    watched.names = ()
    watched.restart(monkeypatch)
    assert consumers.read(folder) == Consumers()


def test_the_slowest_of_several_decides(outbox, folder, monkeypatch):
    append(outbox, 4, camera="side")
    rows = {(one.camera, one.sequence): one.row for one in outbox.record.recorded}
    side = outbox.record.recorded[-1].stream
    watched = Watched(outbox, folder, ("mes", "historian")).begin(monkeypatch)
    with closing_watch(watched):
        for name, top, beside in (("mes", 10, 4), ("historian", 9, 2)):
            watched.says(top, name=name)
            watched.says(beside, name=name, camera="side", stream=side)
        assert consumers.read(folder).unconfirmed == rows["top", 10]
        watched.after(LATE_S + 60)
        (reason,) = watched.reasons
        assert reason.component == "consumer/historian"
        assert "and of 1 more camera" in reason.message


def closing_watch(watched):
    return closing(type("_", (), {"close": lambda _self: watched.watch.stop()})())


def test_a_disk_that_cannot_be_written_is_said_and_the_lag_is_told_all_the_same(watched, monkeypatch, caplog):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(consumers.smallfile, "replace", fails)
    watched.says(7)
    watched.after(LATE_S + 60)
    assert len(watched.reasons) == 1
    assert len([one for one in caplog.records if "make room on the disk" in one.message]) == 1


SPANS = [StreamSpan("top", "a", 5, 9, 5), StreamSpan("top", "b", 1, 4, 4), StreamSpan("top", "c", 1, 2, 2)]


@pytest.mark.parametrize(
    ("confirmed", "left"),
    [
        (None, SPANS),
        (Confirmed("0", 99), SPANS),  # all of that stream is deleted, so all of these are newer
        (Confirmed("a", 2), SPANS),
        (Confirmed("a", 8), [StreamSpan("top", "a", 9, 9, 1), *SPANS[1:]]),
        (Confirmed("a", 9), SPANS[1:]),
        (Confirmed("b", 3), [StreamSpan("top", "b", 4, 4, 1), SPANS[2]]),
        (Confirmed("c", 2), []),
    ],
)
def test_what_is_left_over_several_lives_of_the_outbox(confirmed, left):
    assert _left(SPANS, confirmed) == left


def test_over_a_real_broker_it_shows_in_health_and_goes_by_itself(tmp_path, open_outbox, monkeypatch):
    monkeypatch.setattr(gateway_consumers, "LOOK_S", 0.1)
    broker = Broker(tmp_path / "broker").start()
    outbox = open_outbox(folder=tmp_path / "state" / "outbox")
    row = append(outbox, 20)
    station = Station(tmp_path / "state", broker, consumers=["mes"], consumer_late_s=0.5)
    with closing(station), closing(Mes(broker)) as mes:
        station.start()
        station.publisher.notify(row)

        def overview():
            return station.board.overview(time.monotonic_ns())

        def codes():
            return [one.code for one in overview().reasons]

        until(lambda: "CONSUMER_BEHIND" in codes(), "a reason", 20)
        stream = outbox.record.recorded[0].stream
        mes.says("ack/mes/top", {"stream": stream, "sequence": 20})
        until(lambda: "CONSUMER_BEHIND" not in codes(), "its end", 20)
        assert [(one.consumer, one.results) for one in overview().consumers] == [("mes", 0)]
    with closing(Station(tmp_path / "state", broker, consumers=["mes"], consumer_late_s=0.5)) as station:
        station.start()
        until(lambda: station.board.overview(time.monotonic_ns()).consumers, "a look", 20)
        assert station.board.overview(time.monotonic_ns()).consumers[0].confirmed == Confirmed(stream, 20)


def test_what_a_consumer_has_not_confirmed_is_not_deleted_for_its_age(tmp_path, open_outbox, monkeypatch):
    monkeypatch.setattr(gateway_consumers, "LOOK_S", 0.1)
    broker = Broker(tmp_path / "broker").start()
    folder = tmp_path / "state" / "outbox"
    outbox = open_outbox(folder=folder, keep_days=0.0)
    station = Station(tmp_path / "state", broker, consumers=["mes"])
    with closing(station), closing(Mes(broker)) as mes:
        station.start()
        until(lambda: consumers.read(folder).unconfirmed is not None, "the writer's leave", 20)
        row = append(outbox, 20)
        station.publisher.notify(row)
        assert station.publisher.wait_acknowledged(row, 20)

        def first():
            with closing(Reader(folder)) as reader:
                found = reader.after(0, 1)
            outbox.acknowledge_up_to(row)  # the writer looks when something happens
            return found[0].sequence if found else None

        stream = outbox.record.recorded[0].stream
        mes.says("ack/mes/top", {"stream": stream, "sequence": 12})
        until(lambda: first() == 13, "what is confirmed to go", 20)
        mes.says("ack/mes/top", {"stream": stream, "sequence": 20})
        until(lambda: first() is None, "all to go", 20)
