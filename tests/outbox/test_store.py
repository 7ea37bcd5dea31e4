"""The line's side: what is handed over is on the disk, numbered without a hole, or it is said that it is not."""

import json
import os
import subprocess
import threading
import time
from contextlib import suppress

import pytest
from outbox.messages import result
from running import until

from appliance.inspection.result import SCHEMA_PATH
from appliance.outbox.database import Database, Limits
from appliance.outbox.intake import Intake
from appliance.outbox.numbering import Entry, Losses
from appliance.outbox.opening import open_database
from appliance.outbox.reader import Reader
from appliance.outbox.row import GAP_TOPIC
from appliance.outbox.store import Outbox

LIMITS = Limits(64 * 1024**2, drop_oldest=False)
SMALL = Limits(4 * 1024**2, drop_oldest=False)


def numbers(rows):
    return [row.sequence for row in rows]


def stored(folder):
    reader = Reader(folder)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()


def test_results_are_numbered_from_one_in_the_order_they_came(open_outbox, folder):
    outbox = open_outbox()
    for _ in range(50):
        outbox.append("top", "result", result())
    outbox.record.wait(50)
    rows = stored(folder)
    assert numbers(rows) == list(range(1, 51))
    assert [json.loads(row.payload)["sequence"] for row in rows] == list(range(1, 51))
    assert {json.loads(row.payload)["stream"] for row in rows} == {rows[0].stream}


def test_a_recorded_result_obeys_the_published_schema(open_outbox):
    schema = json.loads(SCHEMA_PATH.read_text())
    assert {"stream", "sequence"} <= set(schema["required"])
    outbox = open_outbox()
    outbox.append("top", "result", result())
    outbox.record.wait(1)
    names = list(json.loads(outbox.record.payloads()[0]))
    assert (
        names[:5] == list(schema["properties"])[:5] == ["schema_version", "result_id", "stream", "sequence", "station"]
    )


def test_each_camera_has_a_stream_of_its_own(open_outbox, folder):
    outbox = open_outbox()
    for nth in range(20):
        outbox.append("top" if nth % 2 else "side", "result", result())
    outbox.record.wait(20)
    by_camera = {camera: [row for row in stored(folder) if row.camera == camera] for camera in ("top", "side")}
    assert numbers(by_camera["top"]) == numbers(by_camera["side"]) == list(range(1, 11))
    assert by_camera["top"][0].stream != by_camera["side"][0].stream


def test_it_is_on_the_disk_when_it_is_said_to_be(open_outbox, folder):
    seen = []
    outbox = Outbox(folder, max_bytes=LIMITS.max_bytes, on_recorded=lambda rows: seen.append((rows, stored(folder))))
    outbox.start()
    outbox.append("top", "result", result())
    until(lambda: seen, "the result to be recorded")
    recorded, on_disk = seen[0]
    assert [row.row for row in on_disk] == [one.row for one in recorded]
    assert 0 <= time.monotonic_ns() - recorded[0].committed_ns < 10e9
    assert outbox.close(5) == 0


def test_numbers_go_on_after_a_restart(open_outbox, folder):
    first = open_outbox()
    first.append("top", "result", result())
    assert first.close(5) == 0
    second = open_outbox()
    second.append("top", "result", result())
    second.record.wait(1)
    rows = stored(folder)
    assert numbers(rows) == [1, 2]
    assert rows[0].stream == rows[1].stream


def test_a_number_is_not_used_again_when_its_row_is_gone(open_outbox, folder):
    first = open_outbox()
    first.append("top", "result", result())
    first.record.wait(1)
    first.acknowledge_up_to(1)
    until(lambda: first.depth().rows == 0, "the row to be deleted")
    first.close(5)
    second = open_outbox()
    second.append("top", "result", result())
    second.record.wait(1)
    assert [(row.row, row.sequence) for row in stored(folder)] == [(2, 2)]


def test_acknowledged_rows_leave_the_disk_also_on_an_idle_line(open_outbox, folder):
    outbox = open_outbox()
    for _ in range(30):
        outbox.append("top", "result", result())
    outbox.record.wait(30)
    assert outbox.depth().rows == 30
    outbox.acknowledge_up_to(20)
    until(lambda: outbox.depth().rows == 10, "20 rows to be deleted")
    assert [row.row for row in stored(folder)] == list(range(21, 31))


def test_an_idle_outbox_leaves_the_disk_alone(open_outbox, folder):
    outbox = open_outbox()
    outbox.append("top", "result", result())
    outbox.record.wait(1)
    outbox.acknowledge_up_to(1)
    until(lambda: outbox.depth().rows == 0, "the row to be deleted")

    def written():
        return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    before = written()
    looks = outbox._writer._looked_ns
    until(lambda: outbox._writer._looked_ns > looks + 2e9, "two idle rounds of the writer")
    assert written() == before


def test_depth_tells_rows_bytes_and_age(open_outbox):
    outbox = open_outbox()
    assert (outbox.depth().rows, outbox.depth().oldest_age_s) == (0, None)
    for _ in range(10):
        outbox.append("top", "result", result(pad="x" * 4000))
    outbox.record.wait(10)
    depth = outbox.depth()
    assert (depth.rows, depth.queued, outbox.recorded_total) == (10, 0, 10)
    assert depth.bytes >= 40_000
    assert 0 <= depth.oldest_age_s < 20


def test_the_gateways_file_is_enough_to_delete_rows(open_outbox, folder):
    from appliance.outbox.watermark import Watermark

    outbox = open_outbox()
    for _ in range(3):
        outbox.append("top", "result", result())
    outbox.record.wait(3)
    mark = Watermark(folder)
    for row in stored(folder)[:2]:
        mark.advance(row)
    mark.flush()
    until(lambda: outbox.depth().rows == 1, "two rows to be deleted")


def test_messages_on_other_topics_leave_no_hole_in_the_results(open_outbox, folder):
    outbox = open_outbox()
    for topic in ("result", "recheck", "result", "recheck", "result"):
        outbox.append("top", topic, result())
    outbox.record.wait(5)
    assert [(row.topic, row.sequence) for row in stored(folder)] == [
        ("result", 1), ("recheck", 1), ("result", 2), ("recheck", 2), ("result", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("camera", "topic"), [("a/b", "result"), ("+", "result"), ("", "result"), ("top", "gap"), ("top", "a b")]
)
def test_a_name_that_cannot_be_a_topic_is_a_bug(open_outbox, camera, topic):
    with pytest.raises(RuntimeError):
        open_outbox().append(camera, topic, result())


def test_appending_after_the_end_is_a_bug(open_outbox):
    outbox = open_outbox()
    outbox.close(5)
    assert not outbox.accepting()
    with pytest.raises(RuntimeError):
        outbox.append("top", "result", result())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"score": float("nan")}, "not_json"), ({"score": object()}, "not_json"), ({"text": "x" * 70_000}, "too_large")],
)
def test_a_message_that_cannot_be_written_leaves_a_gap_and_harms_no_other(open_outbox, folder, fields, reason):
    outbox = open_outbox()
    outbox.append("top", "result", result())
    outbox.append("top", "result", fields)
    outbox.append("top", "result", result())
    outbox.record.wait(3)
    first, gap, last = stored(folder)
    assert (first.sequence, gap.topic, last.sequence) == (1, GAP_TOPIC, 3)
    assert json.loads(gap.payload) == {
        "stream": first.stream, "from_sequence": 2, "to_sequence": 2, "reason": reason,
    }  # fmt: skip
    assert outbox.lost_total == 1
    assert outbox.accepting()


def test_a_bug_in_a_listener_does_not_end_the_recording(folder, caplog):
    def fail(_rows):
        raise KeyError("bug")

    outbox = Outbox(folder, max_bytes=LIMITS.max_bytes, on_recorded=fail)
    outbox.start()
    outbox.append("top", "result", result())
    outbox.append("top", "result", result())
    until(lambda: outbox.recorded_total == 2, "both results")
    assert outbox.accepting()
    assert "a listener failed" in caplog.text
    outbox.close(5)


def test_a_second_appliance_on_the_same_folder_records_nothing(open_outbox):
    first = open_outbox()
    second = open_outbox()
    assert first.accepting()
    assert not second.accepting()
    assert "Another appliance writes the outbox" in second.problem()
    first.close(5)
    until(second.accepting, "the second to take over")


def test_a_folder_that_cannot_be_made_is_a_sentence_and_not_a_crash(tmp_path, open_outbox):
    (tmp_path / "file").write_text("in the way")
    outbox = open_outbox(folder=tmp_path / "file" / "outbox")
    assert not outbox.accepting()
    assert "cannot be used" in outbox.problem()
    (tmp_path / "file").unlink()
    outbox.append("top", "result", result())
    outbox.record.wait(1)
    until(outbox.accepting, "the outbox to work")


def test_what_does_not_fit_into_memory_is_counted_and_named_in_its_place():
    intake = Intake(3)
    for nth in range(3):
        intake.put(Entry("top", "result", {"n": nth}))
    assert intake.is_full
    for camera in ("top", "side", "top"):
        intake.put(Entry(camera, "result", {}))
    work = intake.wait_for_work(10, 0)
    assert [type(one) for one in work.entries] == [Entry, Entry, Entry, Losses]
    assert work.entries[3].counts == {("top", "result"): 2, ("side", "result"): 1}
    assert intake.lost_total == 3
    intake.put(Entry("top", "result", {}))
    assert work.entries[3].counts == {("top", "result"): 2, ("side", "result"): 1}, "it is being written"
    intake.taken(4)
    intake.put(Entry("top", "result", {"n": 9}))
    assert [type(one) for one in intake.wait_for_work(10, 0).entries] == [Losses, Entry]


def test_losses_use_up_their_numbers(folder):
    database = open_database(folder, LIMITS)
    database.write([Entry("top", "result", {}), Losses({("top", "result"): 4}, "not_recorded")], 0)
    database.write([Entry("top", "result", {})], 0)
    assert [(row.topic, row.sequence, row.through) for row in stored(folder)] == [
        ("result", 1, 1), ("gap", 2, 5), ("result", 6, 6),
    ]  # fmt: skip
    database.close()


def test_a_full_outbox_stops_and_says_so_and_goes_on_when_the_broker_is_back(open_outbox, folder):
    outbox = open_outbox(max_bytes=SMALL.max_bytes, queue_max=200)
    append_until(outbox, "is full", pad="x" * 4000)
    for _ in range(300):
        outbox.append("top", "result", result(pad="x" * 4000))
    assert outbox.lost_total > 0
    on_disk = stored(folder)
    assert max(path.stat().st_size for path in folder.glob("*.db")) <= SMALL.max_bytes
    outbox.acknowledge_up_to(on_disk[-1].row)
    until(lambda: outbox.accepting() and outbox.depth().queued == 0, "the outbox to go on")
    rows = stored(folder)
    covered = [number for row in [*on_disk, *rows] for number in range(row.sequence, row.through + 1)]
    assert sorted(set(covered)) == list(range(1, max(covered) + 1)), "every number is a result or in a gap"
    gaps = [row for row in rows if row.topic == GAP_TOPIC]
    assert sum(row.through - row.sequence + 1 for row in gaps) == outbox.lost_total


def test_the_oldest_give_way_where_that_is_wanted_and_subscribers_learn_which(folder):
    database = open_database(folder, Limits(SMALL.max_bytes, drop_oldest=True))
    entries = [Entry(camera, "result", {"pad": "x" * 4000}) for camera in ("top", "side") * 50]
    lost = 0
    for _ in range(40):
        written = database.write(entries, 0)
        assert written.taken == len(entries)
        lost += written.lost
    rows = stored(folder)
    assert lost > 0
    assert database.pending == len(rows)
    for camera in ("top", "side"):
        mine = [row for row in rows if row.camera == camera]
        covered = [number for row in mine for number in range(row.sequence, row.through + 1)]
        assert covered == list(range(1, 2001)), "in order, each number once: a result or in a gap"
        assert mine[0].topic == GAP_TOPIC
    assert sum(row.through - row.sequence + 1 for row in rows if row.topic == GAP_TOPIC) == lost
    assert next(folder.glob("results-*.db")).stat().st_size <= SMALL.max_bytes
    database.close()


@pytest.mark.parametrize("length", [10, 900, 1900, 2100, 3900, 4200, 9000, 60_000])
def test_the_limit_holds_for_results_of_any_length(folder, length):
    database = open_database(folder, SMALL)
    entries = [Entry("top", "result", {"pad": "x" * length})] * 200
    for _ in range(400):
        if database.write(entries, 0).taken == 0:
            break
    else:
        raise AssertionError("it never was full")
    assert SMALL.max_bytes * 0.85 < database.used_bytes <= SMALL.max_bytes
    database.close()


def test_dropping_does_not_touch_what_the_broker_has(folder):
    database = open_database(folder, Limits(SMALL.max_bytes, drop_oldest=True))
    entries = [Entry("top", "result", {"pad": "x" * 4000})] * 100
    for _ in range(9):
        database.write(entries, 0)
    written = database.write(entries, acknowledged=900)
    assert written.lost == 0
    assert all(row.topic == "result" for row in stored(folder))
    database.close()


def test_closing_puts_everything_that_waits_on_the_disk(folder):
    outbox = Outbox(folder, max_bytes=LIMITS.max_bytes)
    outbox.start()
    for _ in range(2000):
        outbox.append("top", "result", result())
    assert outbox.close(20) == 0
    assert numbers(stored(folder)) == list(range(1, 2001))


def test_what_a_full_outbox_cannot_take_at_the_end_is_named_in_a_gap(folder):
    outbox = Outbox(folder, max_bytes=SMALL.max_bytes)
    outbox.start()
    for _ in range(2000):
        outbox.append("top", "result", result(pad="x" * 4000))
    unrecorded = outbox.close(0.5)
    rows = stored(folder)
    assert 0 < unrecorded == 2000 - len(rows) + 1
    assert (rows[-1].topic, rows[-1].through) == (GAP_TOPIC, 2000)


def test_the_verdict_thread_is_not_held_up_by_a_slow_disk(folder, monkeypatch):
    """The disk stands still, as it does while an SSD collects its garbage; appending goes on in microseconds."""
    stalls = threading.Event()
    write = Database.write

    def slow(self, entries, acknowledged):
        stalls.wait(10)
        return write(self, entries, acknowledged)

    monkeypatch.setattr(Database, "write", slow)
    monkeypatch.setattr("appliance.outbox.store._STALLED_S", 0.2)
    outbox = Outbox(folder, max_bytes=LIMITS.max_bytes)
    outbox.start()
    message = result()
    costs = []
    for _ in range(500):
        begin = time.perf_counter_ns()
        outbox.append("top", "result", message)
        costs.append(time.perf_counter_ns() - begin)
    assert sorted(costs)[len(costs) // 2] < 200_000
    until(lambda: not outbox.accepting(), "the stall to be noticed")
    assert "has not answered" in outbox.problem()
    stalls.set()
    until(outbox.accepting, "the disk to be back")
    assert outbox.close(5) == 0
    assert numbers(stored(folder)) == list(range(1, 501))


def test_a_writer_that_dies_of_a_bug_lets_no_part_pass(folder, monkeypatch):
    def fail(*_):
        raise KeyError("bug")

    monkeypatch.setattr(Database, "write", fail)
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)
    outbox = Outbox(folder, max_bytes=LIMITS.max_bytes)
    outbox.start()
    assert outbox.accepting()
    outbox.append("top", "result", result())
    until(lambda: not outbox.accepting(), "the death to be noticed")
    assert "restart" in outbox.problem()


def test_a_backlog_that_was_acknowledged_goes_in_portions(folder):
    database = open_database(folder, LIMITS)
    for _ in range(25):
        database.write([Entry("top", "result", {})] * 100, 0)
    removed = []
    while database.can_forget(2400):
        removed.append(database.write([Entry("top", "result", {})], 2400).removed)
    assert removed == [1000, 1000, 400]
    assert database.pending == len(stored(folder)) == 103
    database.close()


@pytest.fixture
def small_disk(tmp_path):
    """4 MiB in all."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_said_and_survived(small_disk, open_outbox):
    """Somebody else fills it. Receipts make room again although nothing can grow."""
    folder = small_disk / "outbox"
    outbox = open_outbox(folder=folder, queue_max=500)
    for _ in range(200):
        outbox.append("top", "result", result(pad="x" * 1000))
    outbox.record.wait(200)
    fill(small_disk / "stranger")
    append_until(outbox, "disk is full", pad="x" * 1000)
    for _ in range(700):
        outbox.append("top", "result", result(pad="x" * 1000))
    assert outbox.lost_total > 0
    before = outbox.record.recorded[-1].row
    outbox.acknowledge_up_to(before)
    until(lambda: outbox.record.recorded[-1].row > before, "results to be recorded on the full disk")
    (small_disk / "stranger").unlink()
    until(lambda: outbox.accepting() and outbox.depth().queued == 0, "the outbox to go on")
    outbox.append("top", "result", result())
    until(lambda: outbox.depth().queued == 0, "the last one")
    until((folder / "ballast").exists, "the ballast to be taken aboard again")
    outbox.close(5)
    outbox.record.close()
    covered = [n for row in outbox.record.rows.values() for n in range(row.sequence, row.through + 1)]
    assert covered == list(range(1, covered[-1] + 1)), "in order, each number once: a result or in a gap"
    gaps = [row for row in outbox.record.rows.values() if row.topic == GAP_TOPIC]
    assert sum(row.through - row.sequence + 1 for row in gaps) == outbox.lost_total


def append_until(outbox, words, **more):
    """Parts keep coming until the outbox says why it cannot take them."""
    for _ in range(20_000):
        if words in (outbox.problem() or ""):
            return
        while outbox.depth().queued > 50 and words not in (outbox.problem() or ""):
            time.sleep(0.001)
        outbox.append("top", "result", result(**more))
    raise AssertionError(outbox.problem())


def fill(path):
    """Take all the room there is, to the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
