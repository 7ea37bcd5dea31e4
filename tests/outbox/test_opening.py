"""A file that is not what was written is noticed; what can be read of it is saved, and the rest is named."""

import json
import shutil

import pytest
from outbox.messages import result
from running import until

from appliance.outbox.chain import digest
from appliance.outbox.disk import highwater, tables
from appliance.outbox.disk.database import Database, Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.disk.opening import current, open_database
from appliance.outbox.errors import DiskFailed, OutboxDamaged
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC
from appliance.outbox.sender.pen import Watermark

LIMITS = Limits(64 * 1024**2, drop_oldest=False)


def entries(count, camera="top"):
    return [Entry(camera, "result", result(camera, pad="x" * 500)) for _ in range(count)]


def stored(folder):
    reader = Reader(folder)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()


def acknowledge(folder, rows):
    mark = Watermark(folder)
    for row in rows:
        mark.advance(row)
    mark.flush()


@pytest.fixture
def filled(folder):
    """300 results in it, closed in order; the broker has the first 100."""
    database = open_database(folder, LIMITS)
    for _ in range(3):
        database.write(entries(100), 0)
    acknowledge(folder, stored(folder)[:100])
    database.close()
    return folder / "results-1.db"


def covered(rows, stream):
    """The numbers of a stream that are there and that the broker does not have, and those that are named as lost."""
    mine = [row for row in rows if row.stream == stream and row.row > 100]
    numbers = {row.sequence for row in mine if row.topic != GAP_TOPIC}
    gone = {n for row in mine if row.topic == GAP_TOPIC for n in range(row.sequence, row.through + 1)}
    return numbers, gone


def reopen(folder):
    database = open_database(folder, LIMITS)
    database.write(entries(1), 0)
    database.close()
    return stored(folder)


def test_a_whole_file_is_opened_as_it_is(filled, folder):
    before = stored(folder)
    after = reopen(folder)
    assert after[:-1] == before
    assert (after[-1].sequence, after[-1].stream) == (301, before[0].stream)
    assert current(folder).name == "results-1.db"


def test_a_new_folder_starts_without_a_word(folder, caplog):
    open_database(folder, LIMITS).close()
    assert caplog.text == ""


@pytest.mark.parametrize("harm", ["missing", "empty", "garbage", "no header"])
def test_when_nothing_can_be_read_everything_not_acknowledged_is_named(filled, folder, harm):
    old = stored(folder)[0].stream
    if harm == "missing":
        filled.unlink()
    elif harm == "empty":
        filled.write_bytes(b"")
    elif harm == "garbage":
        filled.write_bytes(b"\xa5" * 70_000)
    else:
        raw = bytearray(filled.read_bytes())
        raw[:100] = bytes(100)
        filled.write_bytes(raw)
    rows = reopen(folder)
    assert covered(rows, old) == (set(), set(range(101, 301)))
    gap, new = rows
    assert json.loads(gap.payload) == {
        "stream": old, "from_sequence": 101, "to_sequence": 300, "reason": "outbox_damaged", "prev": None,
    }  # fmt: skip
    assert (new.sequence, new.topic) == (1, "result")
    assert new.stream != old
    assert gap.row < new.row


def test_the_damaged_file_is_kept_and_its_name_is_said(filled, folder, open_outbox):
    filled.write_bytes(b"\xa5" * 70_000)
    outbox = open_outbox()
    kept = folder / "damaged-1.db"
    assert kept.read_bytes() == b"\xa5" * 70_000
    assert str(kept) in outbox.problem()
    assert outbox.accepting(), "the line goes on"
    kept.unlink()
    until(lambda: outbox.problem() is None, "the deletion to be noticed")


def test_a_file_cut_short_loses_only_what_is_cut_off(filled, folder):
    old = stored(folder)[0].stream
    with filled.open("r+b") as file:
        file.truncate(filled.stat().st_size * 6 // 10)
    numbers, gone = covered(reopen(folder), old)
    assert numbers | gone == set(range(101, 301))
    assert not numbers & gone
    assert len(numbers) > 50


def test_a_page_of_zeros_loses_only_its_rows(filled, folder):
    before = stored(folder)
    pages = filled.stat().st_size // 4096
    with filled.open("r+b") as file:
        file.seek((pages * 3 // 4) * 4096)
        file.write(bytes(4096))
    after = reopen(folder)
    numbers, gone = covered(after, before[0].stream)
    assert numbers | gone == set(range(101, 301))
    assert len(gone) < 20
    saved = {row.row: row for row in after if row.stream == before[0].stream and row.topic == "result"}
    assert all(saved[row.row] == row for row in before if row.row in saved), "not a byte of what was saved is changed"


def test_results_that_were_only_in_the_log_are_saved_too(folder):
    database = open_database(folder, LIMITS)
    database.write(entries(40), 0)
    shutil.copytree(folder, folder.with_name("pulled"))  # as a power cut leaves it: the log is not in the file yet
    database.close()
    pulled = folder.with_name("pulled")
    assert (pulled / "results-1.db").stat().st_size < 40 * 550 < (pulled / "results-1.db-wal").stat().st_size
    mark = Watermark(pulled)
    mark.damaged("results-1.db")
    mark.flush()
    rows = reopen(pulled)
    assert [row.sequence for row in rows[:40]] == list(range(1, 41))
    assert (rows[40].topic, rows[40].sequence, rows[40].through) == (GAP_TOPIC, 41, 140), "those that may have been"
    assert rows[40].stream == rows[0].stream


def test_a_lost_log_is_noticed(folder):
    database = open_database(folder, LIMITS)
    database.write(entries(40), 0)
    pulled = folder.with_name("pulled")
    shutil.copytree(folder, pulled, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    database.close()
    rows = reopen(pulled)
    old = json.loads(rows[0].payload)["stream"]
    numbers, gone = covered(rows, old)
    assert numbers == set()
    assert gone == set(range(1, 141)), "those that were, and those that may have been"
    assert rows[-1].stream != old


def test_an_older_copy_is_noticed_before_a_number_is_used_twice(filled, folder):
    copy = folder.with_name("copy.db")
    shutil.copy(filled, copy)
    database = open_database(folder, LIMITS)
    database.write(entries(200), 0)
    acknowledge(folder, stored(folder))
    database.close()
    old = stored(folder)[0].stream
    shutil.copy(copy, filled)
    rows = reopen(folder)
    assert [row.sequence for row in rows if row.stream == old] == list(range(1, 301)), "kept; the broker has them"
    assert tables.acknowledged_in(current(folder)) == 500
    assert rows[-1].sequence == 1
    assert rows[-1].row > 500


def test_without_the_small_files_the_rows_still_go_out(filled, folder):
    (folder / highwater.FILE_NAME).unlink()
    (folder / "watermark.json").unlink()
    rows = reopen(folder)
    assert [row.sequence for row in rows] == list(range(1, 302))


def test_a_damaged_file_is_saved_also_without_the_small_files(filled, folder):
    (folder / highwater.FILE_NAME).unlink()
    (folder / "watermark.json").unlink()
    before = stored(folder)
    flip_a_bit(filled, before[149].payload)
    mark = Watermark(folder)
    mark.damaged("results-1.db")
    mark.flush()
    rows = reopen(folder)
    assert covered(rows, before[0].stream) == (set(range(101, 301)) - {150}, {150})
    assert rows[-1].stream != before[0].stream


def test_a_row_is_never_numbered_below_one_that_the_gateway_may_know(filled, folder):
    filled.unlink()
    assert all(row.row > 1_000_000 for row in reopen(folder))


def test_only_two_damaged_files_are_kept(filled, folder):
    for generation in range(1, 6):
        (folder / f"results-{generation}.db").write_bytes(b"\xa5" * 8192)
        open_database(folder, LIMITS).close()
    assert sorted(path.name for path in folder.glob("*.db")) == ["damaged-4.db", "damaged-5.db", "results-6.db"]


def test_a_file_of_a_newer_appliance_is_left_alone(filled, folder):
    database = open_database(folder, LIMITS)
    database._db.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DiskFailed, match="newer appliance"):
        open_database(folder, LIMITS)
    assert [path.name for path in folder.glob("*.db")] == ["results-1.db"]


def test_a_lower_number_in_the_state_is_noticed(filled, folder):
    database = open_database(folder, LIMITS)
    content = database._db.execute("SELECT content FROM state").fetchone()[0]
    database._db.execute("UPDATE state SET content = ?", (content.replace("301", "201"),))
    database.close()
    with pytest.raises(OutboxDamaged):
        Database(folder, filled, LIMITS)


def flip_a_bit(path, text):
    raw = bytearray(path.read_bytes())
    raw[raw.index(text) + len(text) // 2] ^= 1
    path.write_bytes(raw)


def test_a_flipped_bit_in_a_result_is_never_published(folder, open_outbox, publish, broker, listener):
    """SQLite does not see it. The gateway does, the writer saves the rest, and one number is named as lost."""
    database = open_database(folder, LIMITS)
    database.write(entries(60), 0)
    rows = stored(folder)
    database.close()
    flip_a_bit(folder / "results-1.db", json.loads(rows[29].payload)["result_id"].encode() + b'"')
    outbox = open_outbox()
    publisher = publish(broker)
    listener.wait(lambda it: it.on("top/gap") and len(it.numbers()) >= 59, "the gap and the other results", 30)
    assert listener.on("top/gap")[0].json == {
        "stream": rows[0].stream, "from_sequence": 30, "to_sequence": 30, "reason": "outbox_damaged",
        "prev": digest(rows[28].payload), "replaces": digest(rows[29].payload),
    }  # fmt: skip
    published = {one.payload for one in listener.on("top/result")}
    assert published == {row.payload for row in rows} - {rows[29].payload}
    until(outbox.accepting, "the line to go on")
    assert "damaged-1.db" in outbox.problem()
    outbox.append("top", "result", result())
    until(lambda: listener.on("top/result")[-1].json["stream"] != rows[0].stream, "a new stream")
    assert listener.on("top/result")[-1].json["sequence"] == 1
    until(lambda: publisher.state().problem is None, "the publisher to be well again")
