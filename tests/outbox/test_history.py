"""Random histories: whatever is appended, acknowledged, restarted or unplugged, no number is lost or used twice."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from outbox.messages import result

from appliance.outbox.database import Limits
from appliance.outbox.numbering import Entry, Losses
from appliance.outbox.opening import open_database
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC
from appliance.outbox.watermark import Watermark

CAMERAS = st.sampled_from(["top", "side"])
SIZES = st.integers(0, 6000)


class OutboxSurvives(RuleBasedStateMachine):
    """Rules: append, lose, deliver, crash of the gateway, restart, power cut; on an outbox of the smallest size."""

    drop_oldest = False

    @initialize()
    def begin(self):
        self.home = Path(tempfile.mkdtemp())
        self.life = 0
        self.folder = self.home / "outbox-0"
        self.given: dict[str, list[str | None]] = {"top": [], "side": []}
        """By camera, the result ids in the order of their numbers; None where a loss was named."""
        self.delivered: list = []
        self.limits = Limits(4 * 1024**2, self.drop_oldest)
        self.database = open_database(self.folder, self.limits)
        self.start_gateway()

    def start_gateway(self):
        self.reader = Reader(self.folder)
        self.watermark = Watermark(self.folder)
        self.ahead: list = []
        """Read, and not yet acknowledged: what the file says of these rows may change meanwhile."""

    def waiting(self):
        return self.ahead + self.reader.after(self.ahead[-1].row if self.ahead else self.watermark.row, 1_000_000)

    @rule(cameras=st.lists(CAMERAS, min_size=1, max_size=30), size=SIZES)
    def append(self, cameras, size):
        entries = [Entry(camera, "result", result(camera, pad="x" * size)) for camera in cameras]
        written = self.database.write(entries, self.watermark.row)
        for entry in entries[: written.taken]:
            self.given[entry.camera].append(entry.fields["result_id"])
        assert written.taken == len(entries) or not self.drop_oldest

    @rule(camera=CAMERAS, count=st.integers(1, 400))
    def lose(self, camera, count):
        if self.database.write([Losses({(camera, "result"): count}, "not_recorded")], self.watermark.row).taken:
            self.given[camera] += [None] * count

    @rule(size=st.integers(60_000, 90_000))
    def append_what_cannot_be_kept(self, size):
        message = {"result_id": "too long", "pad": "x" * 70_000 if size % 2 else float("nan")}
        if self.database.write([Entry("top", "result", message)], self.watermark.row).taken:
            self.given["top"].append(None)

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
        self.database = open_database(self.folder, self.limits)

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
        self.database = open_database(self.folder, self.limits)
        self.start_gateway()

    @rule()
    def make_room(self):
        self.database.make_room(self.watermark.row)

    @invariant()
    def every_number_was_delivered_or_waits_or_is_named_in_a_gap(self):
        if not hasattr(self, "reader"):
            return
        waiting = self.waiting()
        for camera, given in self.given.items():
            rows = [row for row in [*self.delivered, *waiting] if row.camera == camera]
            found: dict[int, str | None] = {}
            for row in rows:
                for number in range(row.sequence, row.through + 1):
                    said = None if row.topic == GAP_TOPIC else number
                    found[number] = found.get(number) or said
            assert sorted(found) == list(range(1, len(given) + 1)), "a hole, or a number that was never given"
            results = [row for row in rows if row.topic != GAP_TOPIC]
            for row in results:
                assert f'"{given[row.sequence - 1]}"'.encode() in row.payload, "a number stands for another result"
            if not self.drop_oldest:
                assert [n for n in sorted(found) if found[n] is None] == [
                    n for n, one in enumerate(given, 1) if one is None
                ], "a result became a gap"

    @invariant()
    def what_waits_is_in_order(self):
        if not hasattr(self, "reader"):
            return
        waiting = self.reader.after(self.watermark.row, 1_000_000)
        for camera in self.given:
            starts = [row.sequence for row in waiting if row.camera == camera]
            assert starts == sorted(starts)

    @invariant()
    def the_file_stays_in_its_limits(self):
        if hasattr(self, "database"):
            assert self.database.path.stat().st_size <= 4 * 1024**2 + 64 * 4096
            assert self.database.pending == len(self.reader.after(0, 1_000_000))

    def teardown(self):
        if hasattr(self, "database"):
            self.reader.close()
            self.database.close()
            shutil.rmtree(self.home)


class OutboxDropsTheOldest(OutboxSurvives):
    """The same, where the oldest results give way."""

    drop_oldest = True


QUICK = settings(
    max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

TestOutboxSurvives = OutboxSurvives.TestCase
TestOutboxSurvives.settings = QUICK
TestOutboxDropsTheOldest = OutboxDropsTheOldest.TestCase
TestOutboxDropsTheOldest.settings = QUICK
