"""The line's side: what is handed over is on the disk, numbered without a hole, or it is said that it is not."""

import json
import threading
import time

import pytest
from outbox.messages import numbers, result, stored
from running import until

from appliance.inspection.result import SCHEMA_PATH
from appliance.outbox.chain import digest
from appliance.outbox.disk.database import Database, Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.disk.opening import open_database
from appliance.outbox.row import GAP_TOPIC
from appliance.outbox.store import Outbox

LIMITS = Limits(64 * 1024**2, drop_oldest=False)


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
    assert {"stream", "sequence", "prev"} <= set(schema["required"])
    outbox = open_outbox()
    outbox.append("top", "result", result())
    outbox.record.wait(1)
    names = list(json.loads(outbox.record.payloads()[0]))
    placed = ["schema_version", "result_id", "stream", "sequence", "prev"]
    assert names[:5] == list(schema["properties"])[:5] == placed


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
    first = open_outbox(keep_days=0)
    first.append("top", "result", result())
    first.record.wait(1)
    first.acknowledge_up_to(1)
    until(lambda: stored(folder) == [], "the row to be deleted")
    first.close(5)
    second = open_outbox()
    second.append("top", "result", result())
    second.record.wait(1)
    assert [(row.row, row.sequence) for row in stored(folder)] == [(2, 2)]


def test_acknowledged_rows_leave_the_disk_where_none_are_kept_also_on_an_idle_line(open_outbox, folder):
    outbox = open_outbox(keep_days=0)
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
    until(lambda: outbox.depth().kept_rows == 1, "the receipt to be written down")

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
    from appliance.outbox.sender.pen import Watermark

    outbox = open_outbox()
    for _ in range(3):
        outbox.append("top", "result", result())
    outbox.record.wait(3)
    mark = Watermark(folder)
    for row in stored(folder)[:2]:
        mark.advance(row)
    mark.flush()
    until(lambda: outbox.depth().rows == 1, "two rows to be the broker's")


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
        "stream": first.stream, "from_sequence": 2, "to_sequence": 2, "reason": reason, "prev": digest(first.payload),
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


def test_closing_puts_everything_that_waits_on_the_disk(folder):
    outbox = Outbox(folder, max_bytes=LIMITS.max_bytes)
    outbox.start()
    for _ in range(2000):
        outbox.append("top", "result", result())
    assert outbox.close(20) == 0
    assert numbers(stored(folder)) == list(range(1, 2001))


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
    database = open_database(folder, Limits(LIMITS.max_bytes, drop_oldest=False, keep_days=0))
    for _ in range(25):
        database.write([Entry("top", "result", {})] * 100, 0)
    removed = []
    while database.has_more(2400):
        removed.append(database.write([Entry("top", "result", {})], 2400).removed)
    assert removed == [1000, 1000, 400]
    assert database.pending == len(stored(folder)) == 103
    database.close()
