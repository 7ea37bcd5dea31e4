"""When there is no more room, in memory, in the file or on the disk: said, bounded, each loss named in its place."""

import os
import subprocess
import time
from contextlib import suppress

import pytest
from outbox.messages import result, stored
from running import until

from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry, Losses
from appliance.outbox.disk.opening import open_database
from appliance.outbox.intake import Intake
from appliance.outbox.row import GAP_TOPIC
from appliance.outbox.store import Outbox

LIMITS = Limits(64 * 1024**2, drop_oldest=False)
SMALL = Limits(4 * 1024**2, drop_oldest=False)


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


def test_what_a_full_outbox_cannot_take_at_the_end_is_named_in_a_gap(folder):
    outbox = Outbox(folder, max_bytes=SMALL.max_bytes)
    outbox.start()
    for _ in range(2000):
        outbox.append("top", "result", result(pad="x" * 4000))
    unrecorded = outbox.close(0.5)
    rows = stored(folder)
    assert 0 < unrecorded == 2000 - len(rows) + 1
    assert (rows[-1].topic, rows[-1].through) == (GAP_TOPIC, 2000)


@pytest.fixture
def small_disk(tmp_path):
    """6 MiB in all."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(disk)], check=True)
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
