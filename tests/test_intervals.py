"""When an interval of the line ends, and what becomes of one that nobody takes."""

import json

import pytest

from appliance.figures import Counted, Figures, Interval, Moments
from appliance.intervals import INTERVAL_MAX_BYTES, Intervals
from appliance.link import Link


class Clock:
    def __init__(self):
        self.now_ns = 0

    def __call__(self):
        return self.now_ns

    def utc_ns(self):
        return 1_790_000_000_000_000_000 + self.now_ns


class Line:
    """Three parts of the camera come in each interval."""

    def __init__(self):
        self.clock, self.takes, self.sent = Clock(), True, []
        self.total = Figures()
        self.labels = 1
        self.intervals = Intervals(60, self.end, self.send, clock_ns=self.clock, utc_ns=self.clock.utc_ns)

    def end(self):
        interval = Figures(
            parts=3, scores={(f"label{n}", None): Moments(3, 0.5, 0.123456789, 0, 1) for n in range(self.labels)}
        )
        self.total = self.total.plus(interval)
        return {"top": Counted(self.total, interval, "0193", self.total.parts)}, {}

    def send(self, raw):
        kind, _, body = raw.partition(b"\n")
        assert kind == b"interval"
        if self.takes:
            self.sent.append(Interval.from_json(json.loads(body)))
        return self.takes

    def after(self, duration_s):
        self.clock.now_ns += round(duration_s * 1e9)
        return self.intervals.left_s()


def test_an_interval_ends_when_it_is_time_however_late_the_one_before_was_told():
    line = Line()
    assert line.after(59) == 1
    assert line.after(1.4) == 0
    line.intervals.tell(clock_synchronized=True)
    assert line.after(0) == pytest.approx(59.6)
    line.after(59.6)
    line.intervals.tell(clock_synchronized=True)
    first, second = line.sent
    assert (first.begin_utc[-14:], first.end_utc[-14:]) == ("T14:13:20.000Z", "T14:14:20.400Z")
    assert (second.begin_utc, second.duration_ms) == (first.end_utc, 59_600)
    assert [one.cameras["top"].total.parts for one in line.sent] == [3, 6]


def test_an_interval_that_the_gateway_does_not_take_becomes_one_with_the_next():
    line = Line()
    line.takes = False
    line.after(60)
    line.intervals.tell(clock_synchronized=None)
    line.takes = True
    line.after(60)
    line.intervals.tell(clock_synchronized=None)
    line.after(60)
    line.intervals.tell(clock_synchronized=None)
    both, after = line.sent
    assert (both.duration_ms, both.cameras["top"].interval.parts, both.cameras["top"].sequence) == (120_000, 6, 6)
    assert (after.duration_ms, after.cameras["top"].interval.parts) == (60_000, 3)


def test_so_many_labels_that_they_do_not_fit_are_left_out():
    line = Line()
    line.labels = 6000
    line.intervals.tell(clock_synchronized=None)
    assert line.sent[0].cameras["top"].interval.scores is None
    assert line.sent[0].cameras["top"].interval.parts == 3


def test_the_longest_interval_goes_through_the_link():
    ours, theirs = Link.pair()
    gateway = Link(theirs)
    assert ours.send_raw(b"interval\n" + json.dumps("x" * INTERVAL_MAX_BYTES).encode())
    assert len(gateway.receive(5).body) == INTERVAL_MAX_BYTES
    ours.close()
    gateway.close()
