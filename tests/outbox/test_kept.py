"""What the broker has stays for some days, as far as there is room, and as far as the clock can be believed."""

import json
import sqlite3
import zlib
from contextlib import closing

import pytest
from outbox.messages import numbers, result, stored
from running import until

from appliance.outbox import consumers
from appliance.outbox.chain import digest, verify
from appliance.outbox.consumers import Consumers
from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.disk.opening import current, open_database
from appliance.outbox.disk.retention import Clock, Retention
from appliance.outbox.history import History, Selection
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC, Row
from appliance.outbox.sender.pen import Watermark

LIMITS = Limits(64 * 1024**2, drop_oldest=False, keep_days=7)
SMALL = Limits(4 * 1024**2, drop_oldest=False, keep_days=7)
DAY, HOUR, MINUTE = 86_400, 3_600, 60
YEAR = 365 * DAY
NOW_S = 1_795_000_000


class Hands:
    """A clock with hands: the time that passes, and what the wall clock makes of it."""

    def __init__(self):
        self.passed_s = 0.0
        self.wrong_s = 0.0
        self.clock = Clock(
            lambda: int((NOW_S + self.passed_s + self.wrong_s) * 1e9), lambda: int((self.passed_s + 1000) * 1e9)
        )

    def utc_ns(self):
        return self.clock.utc_ns()


@pytest.fixture
def hands():
    return Hands()


def entries(count, camera="top", size=100):
    return [Entry(camera, "result", result(camera, pad="x" * size)) for _ in range(count)]


def settle(database, acknowledged=0):
    """As on an idle line."""
    while database.has_more(acknowledged):
        database.write([], acknowledged)


def day_by_day(database, hands, days, acknowledged=None):
    """Ten results a day, at noon; the broker has them at once."""
    for _ in range(days):
        database.write(entries(10), 0)
        settle(database, acknowledged if acknowledged is not None else database.last_row)
        hands.passed_s += DAY


def test_an_acknowledged_row_stays_and_waits_no_more(open_outbox, folder):
    outbox = open_outbox()
    for _ in range(30):
        outbox.append("top", "result", result())
    outbox.record.wait(30)
    outbox.acknowledge_up_to(20)
    until(lambda: outbox.depth().kept_rows == 20, "the receipts to be written down")
    depth = outbox.depth()
    assert depth.rows == 10
    assert 0 < depth.bytes < depth.kept_bytes < depth.used_bytes
    assert 0 <= depth.oldest_age_s <= depth.oldest_kept_age_s < 20
    assert numbers(stored(folder)) == list(range(1, 31))


def test_after_a_restart_only_what_waits_is_sent(open_outbox, folder):
    first = open_outbox()
    for _ in range(9):
        first.append("top", "result", result())
    first.record.wait(9)
    first.acknowledge_up_to(6)
    until(lambda: first.depth().kept_rows == 6, "the receipts to be written down")
    first.close(5)
    second = open_outbox()
    assert (second.depth().rows, second.depth().kept_rows) == (3, 6)
    assert not (folder / "watermark.json").exists()
    assert Watermark(folder).row == 6, "a gateway that lost its own file does not begin from the first of a week"


def test_rows_go_when_they_are_too_old_oldest_first_and_on_an_idle_line_too(folder, hands):
    database = open_database(folder, LIMITS, hands.clock)
    day_by_day(database, hands, 10)
    settle(database)
    assert numbers(stored(folder)) == list(range(31, 101)), "those of the last seven days"
    hands.passed_s += 2 * MINUTE
    settle(database)
    assert numbers(stored(folder)) == list(range(41, 101)), "to the minute"
    assert not database.has_more(database.last_row)
    database.close()


def test_what_waits_never_goes_for_its_age(folder, hands):
    database = open_database(folder, LIMITS, hands.clock)
    day_by_day(database, hands, 20, acknowledged=0)
    settle(database, 95)
    assert numbers(stored(folder)) == list(range(96, 201))
    assert database.stored.kept == 0
    database.close()


def test_the_age_of_old_rows_goes_in_portions_and_leaves_no_marks(folder, hands):
    database = open_database(folder, LIMITS, hands.clock)
    for _ in range(25):
        database.write(entries(100), database.last_row)
        hands.passed_s += HOUR
    settle(database, 2500)
    hands.passed_s += 8 * DAY - 25 * HOUR
    settle(database, 2500)  # the clock was steady all the time
    removed = []
    while database.has_more(2500):
        removed.append(database.write([], 2500).removed)
    assert max(removed, default=0) <= 1000
    assert database._value("SELECT count(*) FROM marks") <= 25 - 2500 // 100 + 26
    database.close()


def test_waiting_rows_take_the_room_of_kept_ones_and_are_all_recorded(folder):
    database = open_database(folder, SMALL)
    for _ in range(8):
        assert database.write(entries(100, size=4000), database.last_row).taken == 100
    settle(database, 800)
    assert database.stored.kept > 300
    waited = 0
    while (taken := database.write(entries(50, size=4000), 800).taken) == 50:
        waited += taken
    assert database.stored.kept == 0, "it is full of what waits, and of nothing else"
    assert database.stored.waiting_bytes > 0.8 * SMALL.max_bytes
    rows = stored(folder)
    assert numbers(rows)[-1] == 800 + waited + taken
    assert rows[0].row == 801, "no waiting row gave way"
    database.close()


def test_one_large_group_finds_its_room_at_once(folder):
    database = open_database(folder, SMALL)
    while not database.write(entries(20), database.last_row).removed:
        pass
    assert database.write(entries(150, size=6000), database.last_row).taken == 150
    assert database.path.stat().st_size <= SMALL.max_bytes + 64 * 4096
    database.close()


def test_a_file_above_a_limit_that_was_lowered_comes_down_little_by_little(folder):
    database = open_database(folder, Limits(16 * 1024**2, drop_oldest=False))
    for _ in range(20):
        database.write(entries(500), database.last_row)
    database.close()
    database = open_database(folder, SMALL)
    assert database.used_bytes > SMALL.max_bytes
    written = database.write(entries(1), database.last_row)
    assert written.taken == 1
    assert written.removed < 1000, "no part waits until thousands are deleted"
    settle(database, database.last_row)
    assert database.used_bytes < SMALL.max_bytes
    assert numbers(stored(folder))[-1] == 10_001
    database.close()


def test_dropping_begins_only_when_nothing_kept_is_left(folder):
    database = open_database(folder, Limits(SMALL.max_bytes, drop_oldest=True))
    for _ in range(8):
        database.write(entries(100, size=4000), database.last_row)
    settle(database, 800)
    lost = 0
    while not lost:
        kept = database.stored.kept
        lost = database.write(entries(20, size=4000), 800).lost
        assert kept < 60 or not lost
    rows = stored(folder)
    assert rows[0].topic == GAP_TOPIC
    assert rows[0].sequence == 801
    database.close()


def test_room_is_made_before_a_part_has_to_wait_for_it(folder):
    database = open_database(folder, SMALL)
    for _ in range(30):
        database.write(entries(50, size=2000), database.last_row)
    settle(database, database.last_row)
    before = database.used_bytes
    written = database.write(entries(20, size=2000), database.last_row)
    assert written.taken == 20
    assert before + 200_000 < SMALL.max_bytes
    database.close()


def test_what_a_consumer_has_not_confirmed_does_not_go_for_its_age_but_for_room(folder, hands, caplog):
    database = open_database(folder, SMALL, hands.clock)
    database.unconfirmed = 41
    day_by_day(database, hands, 12)
    assert numbers(stored(folder))[0] == 41
    unheard = 0
    while not unheard:
        unheard = database.write(entries(50, size=4000), database.last_row).unheard
    assert stored(folder)[0].row > 41
    database.close()


def test_the_writer_reads_what_the_gateway_says_of_consumers(open_outbox, folder):
    outbox = open_outbox(keep_days=0)
    folder.mkdir(exist_ok=True)
    consumers.write(folder, Consumers({"mes": {}}, 3))
    until(lambda: outbox._writer._unconfirmed == 3, "the file to be read")
    for _ in range(5):
        outbox.append("top", "result", result())
    outbox.record.wait(5)
    outbox.acknowledge_up_to(5)
    until(lambda: outbox.depth().rows == 0, "the receipts to be written down")
    until(lambda: [row.row for row in stored(folder)] == [3, 4, 5], "what was confirmed to be deleted")
    consumers.write(folder, Consumers({"mes": {}}, 6))
    until(lambda: stored(folder) == [], "the rest to be deleted")


# The clock


def test_a_clock_that_jumps_a_year_ahead_and_comes_back_deletes_nothing(folder, hands):
    database = open_database(folder, LIMITS, hands.clock)
    day_by_day(database, hands, 5)
    hands.wrong_s = YEAR
    for _ in range(20):
        database.write(entries(5), database.last_row)
        settle(database, database.last_row)
        hands.passed_s += HOUR
    hands.wrong_s = 0
    settle(database, database.last_row)
    assert numbers(stored(folder)) == list(range(1, 151))
    for _ in range(10):
        hands.passed_s += DAY
        database.write(entries(1), database.last_row)
        settle(database, database.last_row)
    assert numbers(stored(folder)) == list(range(153, 161)), "those from the future went with those around them"
    database.close()


def test_a_clock_that_is_a_year_ahead_over_a_restart_deletes_nothing(folder, hands):
    database = open_database(folder, LIMITS, hands.clock)
    day_by_day(database, hands, 5)
    database.close()
    hands.wrong_s = YEAR
    database = open_database(folder, LIMITS, hands.clock)
    hands.passed_s += HOUR
    settle(database, database.last_row)
    assert len(stored(folder)) == 50
    database.close()
    hands.wrong_s = 0
    database = open_database(folder, LIMITS, hands.clock)
    hands.passed_s += HOUR
    settle(database, database.last_row)
    assert len(stored(folder)) == 50
    database.close()


def test_a_clock_that_goes_back_a_day_deletes_nothing_early(folder, hands):
    database = open_database(folder, LIMITS, hands.clock)
    day_by_day(database, hands, 3)
    hands.wrong_s = -DAY
    day_by_day(database, hands, 4)
    assert numbers(stored(folder)) == list(range(1, 71))
    hands.passed_s += 2 * DAY
    database.write([], database.last_row)
    settle(database, database.last_row)
    assert numbers(stored(folder))[-1] == 70
    database.close()


def test_a_clock_that_stays_where_it_was_set_is_believed_after_a_day(hands):
    retention = Retention(7, hands.utc_ns() - int(1e9), hands.clock)
    assert retention.cutoff_ns() == hands.utc_ns() - 7 * DAY * 10**9
    hands.wrong_s = YEAR
    assert retention.cutoff_ns() is None
    hands.passed_s += DAY - 1
    assert retention.cutoff_ns() is None
    hands.passed_s += 2
    assert retention.cutoff_ns() == hands.utc_ns() - 7 * DAY * 10**9


@pytest.mark.parametrize(
    ("newest_s", "is_believed"),
    [
        (None, True),
        (-1, True),
        (-12 * HOUR, True),
        (-2 * DAY, False),
        (-YEAR, False),
        (MINUTE, True),
        (2 * HOUR, False),
    ],
)
def test_at_a_start_the_newest_row_says_whether_the_clock_is_right(hands, newest_s, is_believed):
    newest_ns = None if newest_s is None else hands.utc_ns() + int(newest_s * 1e9)
    assert (Retention(7, newest_ns, hands.clock).cutoff_ns() is not None) is is_believed


def test_a_clock_that_is_adjusted_little_by_little_is_believed(hands):
    retention = Retention(7, None, hands.clock)
    for _ in range(1000):
        hands.passed_s += 1
        hands.wrong_s += 0.5
        assert retention.cutoff_ns() is not None


# Files of the format before


FORMAT_1 = """
CREATE TABLE rows (
  row INTEGER PRIMARY KEY, camera TEXT NOT NULL, topic TEXT NOT NULL, stream TEXT NOT NULL,
  sequence INTEGER NOT NULL, through INTEGER NOT NULL, recorded_utc_ns INTEGER NOT NULL,
  checksum INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), checksum INTEGER NOT NULL, content TEXT NOT NULL);
PRAGMA user_version = 1;
"""


def format_1(folder, first, last):
    """A file as the appliance before wrote it: so many results wait."""
    folder.mkdir()
    rows = []
    with closing(sqlite3.connect(folder / "results-1.db", isolation_level=None)) as db:
        db.executescript("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;" + FORMAT_1)
        db.execute("BEGIN")
        for n in range(first, last + 1):
            payload = json.dumps({"stream": "old", "sequence": n, "verdict": "pass"}, separators=(",", ":")).encode()
            row = Row(n, "top", "result", "old", n, n, payload)
            rows.append(row)
            utc_ns = (NOW_S + n * 30) * 10**9
            db.execute(
                "INSERT INTO rows VALUES (?,?,?,?,?,?,?,?,?)",
                (n, "top", "result", "old", n, n, utc_ns, row.checksum(), payload),
            )
        content = json.dumps(
            {"last_row": last, "pending": last - first + 1, "streams": [["top", "result", "old", last + 1]]}
        )
        db.execute("INSERT INTO state VALUES (1, ?, ?)", (zlib.crc32(content.encode()), content))
        db.execute("COMMIT")
    return rows


def test_a_file_of_the_format_before_is_brought_up_to_date_with_all_its_rows(folder, hands):
    before = format_1(folder, 11, 50)
    mark = Watermark(folder)
    for row in before[:5]:
        mark.advance(row)
    mark.flush()
    hands.passed_s = 50 * 30
    database = open_database(folder, LIMITS, hands.clock)
    assert (database.pending, database.stored.kept) == (40, 0)
    database.write(entries(2), 15)
    rows = stored(folder)
    assert rows[:40] == before
    assert (database.pending, database.stored.kept) == (37, 5)
    assert [row.stream for row in rows[40:]] == ["old", "old"], "the stream goes on"
    assert json.loads(rows[40].payload)["prev"] == digest(before[-1].payload), "and the chain begins in it"
    assert list(verify(row.payload for row in rows)) == []
    database.close()
    assert current(folder).name == "results-1.db"
    with closing(History(folder)) as history:
        span = Selection(since_utc_ns=(NOW_S + 20 * 30) * 10**9, until_utc_ns=(NOW_S + 29 * 30) * 10**9)
        assert [one.row.sequence for one in history.rows(span)] == list(range(20, 30))
        last = Selection(stream="old", from_sequence=49, to_sequence=60)
        assert [one.row.sequence for one in history.rows(last)] == [49, 50, 51, 52]


def test_a_file_of_the_format_before_without_rows_goes_on_with_its_numbers(folder):
    format_1(folder, 51, 50)
    database = open_database(folder, LIMITS)
    database.write(entries(1), 0)
    [row] = stored(folder)
    assert (row.stream, row.sequence, json.loads(row.payload)["prev"]) == ("old", 51, None)
    assert list(verify([row.payload])) == []
    database.close()


def test_an_update_that_is_cut_off_leaves_the_file_as_it_was(folder, monkeypatch):
    before = format_1(folder, 1, 50)

    def unplugged(_db):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("appliance.outbox.disk.marks.derive", unplugged)
        with pytest.raises(Exception, match="disk is full"):
            open_database(folder, LIMITS)
    reader = Reader(folder)
    assert reader.after(0, 100) == before
    reader.close()
    database = open_database(folder, LIMITS)
    assert database.pending == 50
    database.close()


def test_a_full_file_of_the_format_before_can_be_brought_up_to_date(folder):
    format_1(folder, 1, 20_000)
    database = open_database(folder, Limits(4 * 1024**2, drop_oldest=False))
    assert database.pending == 20_000
    while database.has_more(20_000):
        database.write([], 20_000)
    assert database.write(entries(1), 20_000).taken == 1
    database.close()
