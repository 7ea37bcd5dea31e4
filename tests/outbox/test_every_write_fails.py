"""The disk is full at every moment there is: page by page, from none to enough for all that is wanted.

Each time it is said, nothing is recorded by halves, and everything goes on once there is room.
"""

import json
import os
import shutil
import subprocess
from contextlib import suppress

import pytest
from outbox.messages import result
from outbox.test_kept import format_1

from appliance.outbox.chain import verify
from appliance.outbox.disk.amounts import Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.disk.opening import open_database
from appliance.outbox.errors import DiskFull
from appliance.outbox.intake import Intake
from appliance.outbox.reader import Reader
from appliance.outbox.sender.pen import Watermark
from appliance.outbox.states import State
from appliance.outbox.writer import Writer

LIMITS = Limits(4 * 1024**2, drop_oldest=False)
PAGE = 4096


@pytest.fixture
def disk(tmp_path):
    """8 MiB in all."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system: full disks are tried by doubles alone")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Stranger:
    """Takes the room of a disk but for some pages."""

    def __init__(self, disk):
        self._path = disk / "stranger"

    def leave(self, pages):
        with self._path.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(PAGE))
        size = self._path.stat().st_size // PAGE * PAGE
        os.truncate(self._path, max(0, size - pages * PAGE))

    def go(self):
        self._path.unlink(missing_ok=True)


def recorded(folder):
    reader = Reader(folder)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()


@pytest.mark.parametrize("keep_days", [7.0, 0.0])
def test_results_are_recorded_whole_or_not_at_all_and_go_on(disk, keep_days):
    folder, stranger = disk / "outbox", Stranger(disk)
    intake = Intake(10_000)
    heard = []
    limits = Limits(LIMITS.max_bytes, drop_oldest=False, keep_days=keep_days)
    writer = Writer(folder, limits, intake, heard.extend)
    assert writer._try_step()
    failed = 0
    for pages in range(60):
        wanted = len(heard) + 30
        stranger.leave(pages)
        for _ in range(30):
            intake.put(Entry("top", "result", result(pad="x" * 900)))
        if not writer._try_step():
            failed += 1
            assert writer.state is State.DISK_FULL
            assert "disk is full" in writer.problem
        stranger.go()
        for _ in range(50):
            if len(heard) == wanted:
                break
            writer._try_step()
        assert len(heard) == wanted, f"it goes on after {pages} pages"
        assert writer.state is State.RECORDING
        intake.acknowledge(heard[-1].row)
    assert 5 < failed < 60
    assert [row.sequence for row in heard] == list(range(1, 1801))
    rows = recorded(folder)
    assert list(verify(row.payload for row in rows)) == []
    assert [row.row for row in rows] == [row.row for row in heard][-len(rows) :]
    writer._end()


def test_receipts_make_room_on_a_disk_that_stays_full(disk):
    folder, stranger = disk / "outbox", Stranger(disk)
    intake = Intake(10_000)
    heard = []
    writer = Writer(folder, LIMITS, intake, heard.extend)
    writer._try_step()
    for _ in range(1500):
        intake.put(Entry("top", "result", result(pad="x" * 900)))
    while len(heard) < 1500:
        assert writer._try_step()
    stranger.leave(0)
    for _ in range(5):
        before = len(heard)
        for _ in range(200):
            intake.put(Entry("top", "result", result(pad="x" * 900)))
        for _ in range(10):
            if len(heard) < before + 200:
                writer._try_step()
        assert writer.state is State.DISK_FULL or len(heard) > before
        intake.acknowledge(heard[-1].row)
        for _ in range(20):
            if len(heard) == before + 200:
                break
            writer._try_step()
        assert len(heard) == before + 200, "kept rows gave way"
    stranger.go()
    writer._end()


def test_a_start_on_a_full_disk_succeeds_or_says_so_and_harms_nothing(disk):
    folder, stranger = disk / "outbox", Stranger(disk)
    for pages in range(12):
        shutil.rmtree(folder, ignore_errors=True)
        stranger.leave(pages)
        with suppress(DiskFull):
            open_database(folder, LIMITS).close()
        stranger.go()
        database = open_database(folder, LIMITS)
        assert database.write([Entry("top", "result", result())], 0).taken == 1
        database.close()
        assert [row.sequence for row in recorded(folder)][-1] == 1
        assert not list(folder.glob("damaged-*")), "a start without room is no damage"


def test_an_update_of_the_file_on_a_full_disk_is_made_whole_or_not_at_all(disk):
    folder, stranger = disk / "outbox", Stranger(disk)
    failed = 0
    for pages in range(0, 60, 4):
        shutil.rmtree(folder, ignore_errors=True)
        before = format_1(folder, 1, 500)
        stranger.leave(pages)
        try:
            open_database(folder, LIMITS).close()
        except DiskFull:
            failed += 1
        stranger.go()
        assert recorded(folder) == before
        open_database(folder, LIMITS).close()
        assert recorded(folder) == before
    assert failed > 0


def test_damage_on_a_full_disk_is_mended_once_there_is_room(disk):
    folder, stranger = disk / "outbox", Stranger(disk)
    failed = 0
    for pages in range(0, 140, 10):
        shutil.rmtree(folder, ignore_errors=True)
        database = open_database(folder, LIMITS)
        database.write([Entry("top", "result", result(pad="x" * 900)) for _ in range(200)], 0)
        stream = recorded(folder)[0].stream
        database.write([], 50)
        database.close()
        mark = Watermark(folder)
        mark.damaged("results-1.db")
        mark.flush()
        stranger.leave(pages)
        try:
            open_database(folder, LIMITS).close()
        except DiskFull:
            failed += 1
        stranger.go()
        database = open_database(folder, LIMITS)
        database.close()
        rows = [row for row in recorded(folder) if row.stream == stream]
        assert {n for row in rows for n in range(row.sequence, row.through + 1)} >= set(range(51, 201))
        assert all(json.loads(row.payload)["stream"] == stream for row in rows)
    assert failed > 0
