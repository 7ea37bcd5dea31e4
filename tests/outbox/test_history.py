"""Random histories: whatever is appended, acknowledged, restarted, unplugged, damaged, or runs out of disk or of time.

No number is lost or used twice, what waits is never given up for what is kept, and the chain holds over all of it.
"""

import shutil
import sqlite3
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from outbox.full_disk import FullDisk
from outbox.messages import result

from appliance.outbox.chain import Kind, verify
from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry, Losses
from appliance.outbox.disk.opening import open_database, rebuild
from appliance.outbox.disk.retention import Clock
from appliance.outbox.errors import DiskFull
from appliance.outbox.history import History, Selection
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC
from appliance.outbox.sender.pen import Watermark

CAMERAS = st.sampled_from(["top", "side"])
SIZES = st.integers(0, 6000)


class OutboxSurvives(RuleBasedStateMachine):
    """Rules: append, lose, deliver, time, crash of the gateway, restart, power cut, full disk, damage.

    On an outbox of the smallest size, which keeps for two days what the broker has.
    """

    drop_oldest = False

    @initialize()
    def begin(self):
        self.home = Path(tempfile.mkdtemp())
        self.life = 0
        self.folder = self.home / "outbox-0"
        self.given: dict[str, dict[int, str | None]] = defaultdict(dict)
        """By stream and number, the result's id; None where a loss was named."""
        self.ended: set[str] = set()
        """Streams that damage has ended: more of their numbers may be named as lost than were given."""
        self.harmed: set[tuple[str, int]] = set()
        self.delivered: list = []
        self.limits = Limits(4 * 1024**2, self.drop_oldest, keep_days=2)
        self.later_ns = 0
        self.clock = Clock(lambda: time.time_ns() + self.later_ns, lambda: time.monotonic_ns() + self.later_ns)
        self.database = open_database(self.folder, self.limits, self.clock)
        self.start_gateway()

    def start_gateway(self):
        self.reader = Reader(self.folder)
        self.watermark = Watermark(self.folder)
        self.ahead: list = []
        """Read, and not yet acknowledged: what the file says of these rows may change meanwhile."""

    def waiting(self):
        return self.ahead + self.reader.after(self.ahead[-1].row if self.ahead else self.watermark.row, 1_000_000)

    def write(self, entries):
        """Note which number each got; returns how many were taken."""
        written = self.database.write(entries, self.watermark.row)
        ids = [one.fields["result_id"] if isinstance(one, Entry) else None for one in entries[: written.taken]]
        assert len(ids) == len(written.recorded)
        for name, row in zip(ids, written.recorded, strict=True):
            for number in range(row.sequence, row.through + 1):
                assert number not in self.given[row.stream], "a number is used twice"
                self.given[row.stream][number] = name if row.topic != GAP_TOPIC else None
        return written.taken

    @rule(cameras=st.lists(CAMERAS, min_size=1, max_size=30), size=SIZES)
    def append(self, cameras, size):
        taken = self.write([Entry(camera, "result", result(camera, pad="x" * size)) for camera in cameras])
        assert taken == len(cameras) or not self.drop_oldest
        assert taken == len(cameras) or self.database.stored.kept == 0, "what is kept stands in the way"

    @rule(camera=CAMERAS, count=st.integers(1, 400))
    def lose(self, camera, count):
        self.write([Losses({(camera, "result"): count}, "not_recorded")])

    @rule(size=st.integers(60_000, 90_000))
    def append_what_cannot_be_kept(self, size):
        self.write([Entry("top", "result", {"result_id": "no", "pad": "x" * 70_000 if size % 2 else float("nan")})])

    @rule(count=st.integers(1, 100))
    def read_ahead(self, count):
        self.ahead += self.waiting()[len(self.ahead) :][:count]

    @rule(count=st.integers(1, 200))
    def deliver(self, count):
        rows = self.waiting()[:count]
        del self.ahead[:count]
        for row in rows:
            self.delivered.append(row)
            self.watermark.advance(row)

    @rule()
    def write_the_watermark(self):
        self.watermark.flush()

    @rule()
    def fill_up(self):
        for _ in range(8):
            self.append(["top", "side"] * 20, 6000)

    @rule()
    def the_gateway_is_killed(self):
        self.reader.close()
        self.start_gateway()

    @rule()
    def the_line_is_restarted(self):
        self.database.close()
        self.database = open_database(self.folder, self.limits, self.clock)

    @precondition(lambda self: self.life < 5)
    @rule()
    def the_power_is_cut(self):
        """What is left is what was on the disk at that moment: a copy, with the log as it is."""
        self.life += 1
        after = self.home / f"outbox-{self.life}"
        shutil.copytree(self.folder, after, ignore=shutil.ignore_patterns("*-shm"))
        self.reader.close()
        self.database.close()
        self.folder = after
        self.database = open_database(self.folder, self.limits, self.clock)
        self.start_gateway()

    @rule()
    def make_room(self):
        self.database.make_room(self.watermark.row)

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours):
        """The line records nothing meanwhile, and tidies up."""
        self.later_ns += hours * 3_600_000_000_000
        for _ in range(20):
            if not self.database.has_more(self.watermark.row):
                return
            self.database.write([], self.watermark.row)
        raise AssertionError("it never comes to rest")

    @rule(count=st.integers(1, 30), size=SIZES, statement=st.integers(0, 8))
    def the_disk_is_full(self, count, size, statement):
        """From this statement of the transaction on."""
        before = self.reader.after(0, 1_000_000)
        database, self.database._db = self.database._db, FullDisk(self.database._db, statement)
        try:
            self.database.write([Entry("top", "result", result(pad="x" * size))] * count, self.watermark.row)
        except DiskFull:
            assert self.reader.after(0, 1_000_000) == before
        else:
            raise AssertionError("that disk was not full")
        finally:
            self.database._db = database

    @precondition(lambda self: self.life < 5)
    @rule(place=st.integers(0, 1_000_000))
    def a_row_is_damaged(self, place):
        """The broker may have it or not; the gateway stumbles over it and asks the writer for a new file."""
        rows = self.reader.after(0, 1_000_000)
        if not rows:
            return
        self.life += 1
        self.watermark.flush()
        self.ahead.clear()
        row = rows[place % len(rows)]
        with closing(sqlite3.connect(self.database.path)) as file, file:
            file.execute("UPDATE rows SET payload = ? WHERE row = ?", (row.payload[:-1] + b"]", row.row))
        for number in range(row.sequence, row.through + 1):
            self.harmed.add((row.stream, number))
        self.ended |= set(self.given)
        self.database = rebuild(self.database, self.folder, "damaged by the test", self.limits, self.clock)

    @invariant()
    def every_number_was_delivered_or_waits_or_is_named_in_a_gap(self):
        if not hasattr(self, "reader"):
            return
        found: dict[str, dict[int, bytes | None]] = defaultdict(dict)
        for row in [*self.delivered, *self.waiting()]:
            for number in range(row.sequence, row.through + 1):
                payload = None if row.topic == GAP_TOPIC else row.payload
                found[row.stream][number] = found[row.stream].get(number) or payload
        for stream, given in self.given.items():
            assert sorted(found[stream]) == list(range(1, len(found[stream]) + 1)), "a hole"
            assert set(given) <= set(found[stream])
            for number, payload in found[stream].items():
                name = given.get(number)
                if payload is not None:
                    assert f'"{name}"'.encode() in payload, "a number stands for another result"
                elif number not in given:
                    assert stream in self.ended, "a number that was never given"
                elif name is not None:
                    assert self.drop_oldest or (stream, number) in self.harmed, "a result became a gap"

    @invariant()
    def the_chain_holds_for_subscribers(self):
        if hasattr(self, "reader"):
            assert list(verify(row.payload for row in [*self.delivered, *self.waiting()])) == []

    @invariant()
    def the_chain_holds_for_what_is_kept(self):
        if not hasattr(self, "reader"):
            return
        with closing(History(self.folder)) as history:
            findings = list(verify((one.row.payload for one in history.every(Selection())), history.heads()))
        # A damaged row that the broker had is named by no gap message: it is missing here and nowhere else.
        assert [one for one in findings if one.kind is not Kind.MISSING] == []
        missing = {(one.stream, number) for one in findings for number in range(one.first, one.last + 1)}
        assert missing <= self.harmed

    @invariant()
    def what_waits_is_in_order(self):
        if not hasattr(self, "reader"):
            return
        waiting = self.reader.after(self.watermark.row, 1_000_000)
        for stream in self.given:
            starts = [row.sequence for row in waiting if row.stream == stream and row.topic != GAP_TOPIC]
            assert starts == sorted(starts)

    @invariant()
    def the_file_stays_in_its_limits_and_knows_what_it_holds(self):
        if not hasattr(self, "database"):
            return
        assert self.database.path.stat().st_size <= 4 * 1024**2 + 64 * 4096
        rows = self.reader.after(0, 1_000_000)
        kept = [row for row in rows if row.row <= self.database.acknowledged]
        stored = self.database.stored
        assert (stored.kept, stored.waiting) == (len(kept), len(rows) - len(kept))
        assert (stored.kept_bytes > 0, stored.waiting_bytes > 0) == (stored.kept > 0, stored.waiting > 0)

    def teardown(self):
        if hasattr(self, "database"):
            self.reader.close()
            self.database.close()
            shutil.rmtree(self.home)


class OutboxDropsTheOldest(OutboxSurvives):
    """The same, where the oldest results give way."""

    drop_oldest = True


QUICK = settings(
    max_examples=6, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

TestOutboxSurvives = OutboxSurvives.TestCase
TestOutboxSurvives.settings = QUICK
TestOutboxDropsTheOldest = OutboxDropsTheOldest.TestCase
TestOutboxDropsTheOldest.settings = QUICK


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(
            [
                ("fill_up",),
                ("lose", "top", 221),
                ("write_the_watermark",),
                ("a_row_is_damaged", 80_893),
                ("a_row_is_damaged", 26),
                ("fill_up",),
                ("make_room",),
                ("lose", "side", 340),
                ("fill_up",),
            ],
            id="the gaps of a stream stand behind its results, and give way without a hole",
        ),
        pytest.param(
            [("fill_up",), ("deliver", 2), ("fill_up",), ("a_row_is_damaged", 0), ("fill_up",), ("fill_up",)],
            id="a gap message that was itself damaged gives way without breaking the chain",
        ),
        pytest.param(
            [*[("fill_up",)] * 8, ("a_row_is_damaged", 0), ("deliver", 50), ("a_row_is_damaged", 0)],
            id="again before anything was recorded: the gap messages of the first damage are looked for",
        ),
        pytest.param(
            [
                ("deliver", 124),
                ("lose", "top", 92),
                ("deliver", 195),
                ("append_what_cannot_be_kept", 63_700),
                ("append", ["top"] * 3 + ["side"] * 3 + ["top"] * 2, 1672),
                ("append", ["top"], 124),
                ("a_row_is_damaged", 15_896),
                ("deliver", 199),
                ("deliver", 140),
                ("a_row_is_damaged", 33_766),
            ],
            id="after its gap message was delivered, behind higher numbers: those are not called lost",
        ),
        pytest.param(
            [
                ("a_row_is_damaged", 20_359),
                ("a_row_is_damaged", 1503),
                ("a_row_is_damaged", 14),
                ("fill_up",),
                ("fill_up",),
                ("a_row_is_damaged", 4552),
                ("deliver", 44),
                ("append_what_cannot_be_kept", 62_840),
                ("lose", "side", 256),
                ("fill_up",),
                ("write_the_watermark",),
                ("lose", "top", 302),
                ("the_line_is_restarted",),
                ("fill_up",),
            ],
            id="a gap message that begins before what was delivered fills the hole that it covers",
        ),
    ],
)
def test_damage_after_damage(history):
    """Histories that a long search has found."""
    state = OutboxDropsTheOldest()
    state.begin()
    try:
        for name, *arguments in history:
            getattr(state, name)(*arguments)
            state.every_number_was_delivered_or_waits_or_is_named_in_a_gap()
            state.the_chain_holds_for_subscribers()
            state.the_chain_holds_for_what_is_kept()
            state.the_file_stays_in_its_limits_and_knows_what_it_holds()
    finally:
        state.teardown()
