"""The disk is full: nothing is begun that has no room, nothing is half done, and what serves goes on serving."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from registry.store.packages import deploy, fetch, listed, on_disk, package
from running import REPOSITORY

from appliance.registry.errors import NoSpace
from appliance.registry.store import ballast, blobs, durable

NAMESPACE = ("unshare", "--map-root-user", "--mount")
BEFORE_THERE_IS_A_BALLAST = 12
"""Changes until the first `open` is through."""


def test_a_disk_that_is_full_from_any_change_on_harms_nothing(tmp_path):
    allowed = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if allowed.returncode != 0:
        pytest.skip(f"no small disk can be mounted here, so a full one is not tried: {allowed.stderr}")
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "registry.store.full", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout)
    assert len(said["bytes"]) > 80
    with_ballast = [one for one in said["bytes"][BEFORE_THERE_IS_A_BALLAST:] if one is not None]
    for act in ("write progress", "write history", "write audit", "activate", "go back"):
        assert not [one for one in with_ballast if f"cannot {act}" in one], "the ballast is for these"


def test_what_has_no_room_is_not_begun(store):
    before = on_disk(store.folder)
    huge = 10**15
    with pytest.raises(NoSpace, match=r"no room .* it needs 1000000000\.3 MB and .* MB are free; remove files"):
        store.partial("a" * 64, huge)
    with pytest.raises(NoSpace, match="no room"):
        store.reserve(huge)
    assert on_disk(store.folder) == before


@pytest.mark.parametrize("came", [0, 3])
def test_a_disk_that_fills_up_while_room_is_taken_leaves_what_came_before(store, monkeypatch, came):
    sha256 = "a" * 64
    if came:
        with store.partial(sha256, came) as sink:
            sink.write(b"abc"[:came])
    before = {path: path.stat().st_size for path in (store.folder / "partial").iterdir()}
    assert len(before) == bool(came)

    real = blobs.take_room

    def full(descriptor, offset, count):
        real(descriptor, offset, count // 2)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(blobs, "take_room", full)
    with pytest.raises(NoSpace, match="is full; remove files there"):
        store.partial(sha256, 1_000_000)
    assert {path: path.stat().st_size for path in (store.folder / "partial").iterdir()} == before
    assert sum(path.stat().st_blocks * 512 for path in before) < 100_000, "half of the room is no room"


def test_room_for_a_download_is_taken_before_it_comes(store):
    with store.partial("a" * 64, 3_000_000):
        path = store.folder / "partial" / ("a" * 64)
        assert path.stat().st_size == 0, "its size says what came"
        assert path.stat().st_blocks * 512 >= 3_000_000


def full_once(monkeypatch, times=1):
    """The next writes meet a full disk."""
    left = [times]
    real = os.write

    def write(descriptor, raw):
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, raw)

    monkeypatch.setattr(durable.os, "write", write)


def test_a_full_disk_takes_the_ballast_and_gives_it_back(store, monkeypatch):
    assert store.troubles() == ()
    full_once(monkeypatch)
    store.journal.save("progress", {"step": 7})
    assert store.journal.load("progress") == {"step": 7}
    [trouble] = store.troubles()
    assert trouble.endswith("is in use; remove files there or take a larger disk")
    store.collect(3)
    assert store.troubles() == ()


def test_a_journal_that_cannot_be_written_keeps_what_it_had(store, monkeypatch):
    store.journal.save("progress", {"step": 7})
    before = on_disk(store.folder)
    full_once(monkeypatch, times=2)
    with pytest.raises(NoSpace, match=r"cannot write progress\.json: the disk of .* is full"):
        store.journal.save("progress", {"step": 8})
    assert store.journal.load("progress") == {"step": 7}
    assert on_disk(store.folder) == before


def test_the_ballast_waits_until_there_is_room(store, monkeypatch):
    (store.folder / "ballast").unlink()
    monkeypatch.setattr(ballast, "free_bytes", lambda _folder: 100_000)
    store.collect(3)
    assert len(store.troubles()) == 1
    monkeypatch.undo()
    store.collect(3)
    assert store.troubles() == ()


def test_serving_that_could_not_follow_a_way_back_does_so_later(store, monkeypatch):
    deploy(store, 1)
    store.activate(1)
    moved = []

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "symlink_to", full)
    store.back(after_rename=lambda: moved.append(store.current.release))
    assert moved == [0], "the line goes back all the same"
    assert any("serving/ does not follow" in one for one in store.troubles())
    monkeypatch.undo()
    store.collect(3)
    assert store.troubles() == ()
    assert [entry.name for entry in (store.folder / "serving").iterdir()] == ["1"]


def test_a_stage_without_room_leaves_nothing(store, monkeypatch):
    content = package(1)
    files = fetch(store, content)
    before = on_disk(store.folder)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(NoSpace, match="cannot lay out release 1"):
        store.stage(1, files)
    assert on_disk(store.folder) == before
    assert listed(content) == files
