"""What waits, how old it is, how fast it goes out; read from the files alone."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from results.boxes import box, command, recorded, result, results, shift
from running import open_to_all

from appliance.outbox import consumers, smallfile
from appliance.outbox.consumers import Confirmed, Consumers
from appliance.outbox.files import current
from appliance.outbox.history import History


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


def looked(capfd, *arguments):
    assert results("outbox", "--json", "--interval", 0.1, *arguments) == 0
    return json.loads(capfd.readouterr().out)


def test_what_waits_is_counted(folder, capfd):
    recorded(folder, *shift(50), result(1, "side"))
    found = looked(capfd, "--outbox", folder)
    assert (found["waiting"], found["kept"]) == (51, 0)
    assert 0 <= found["oldest_waiting_s"] < 60
    assert found["is_recording"] is False
    streams = {one["camera"]: (one["first"], one["last"], one["acknowledged"]) for one in found["streams"]}
    assert streams == {"top": (1, 50, None), "side": (1, 1, None)}


def test_a_person_reads_where_it_stands(folder, capfd):
    recorded(folder, *shift(50))
    assert results("outbox", "--interval", 0.1, "--outbox", folder) == 0
    out = capfd.readouterr().out
    assert "50 wait; no line records into it now, so nobody sends them" in out
    assert "oldest waiting" in out
    assert "broker has" in out


def test_what_the_broker_has_is_kept_and_no_longer_waits(folder, capfd):
    with box(folder) as line:
        line.record(*shift(50))
        stream = _stream(folder)
        smallfile.replace(folder / "watermark.json", {"row": 40, "sequences": {stream: 40}, "damaged_in": None})
        line.outbox.acknowledge_up_to(40)
        found = looked(capfd, "--outbox", folder)
    assert (found["waiting"], found["kept"]) == (10, 40)
    assert found["streams"][0]["acknowledged"] == 40
    assert found["is_recording"] is True


def test_rates_are_measured(folder, capfd, monkeypatch):
    """Forty results are recorded and twenty of them sent, after the first look and before the second."""
    with box(folder) as line:
        line.record(*shift(10))

        def meanwhile(_interval_s):
            line.record(*(result(n) for n in range(11, 51)))
            smallfile.replace(
                folder / "watermark.json", {"row": 20, "sequences": {_stream(folder): 20}, "damaged_in": None}
            )

        monkeypatch.setattr("appliance.results.outbox.time", SimpleNamespace(sleep=meanwhile))
        assert results("outbox", "--json", "--interval", 1.0, "--outbox", folder) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["recorded_per_s"] > 0
    assert found["sent_per_s"] == pytest.approx(found["recorded_per_s"] / 2, rel=0.01)


def test_consumers_are_shown_with_what_they_have_not_confirmed(folder, capfd):
    recorded(folder, *shift(50))
    said = {"mes": {"top": Confirmed(_stream(folder), 30)}, "historian": {}}
    consumers.write(folder, Consumers(said, 0))
    found = looked(capfd, "--outbox", folder)["consumers"]
    assert [(one["consumer"], one["confirmed"], one["behind"]) for one in found] == [
        ("historian", None, 50),
        ("mes", 30, 20),
    ]
    assert results("outbox", "--interval", 0.1, "--outbox", folder) == 0
    assert "never heard of" in capfd.readouterr().out


def test_files_that_were_set_aside_are_named(folder, capfd):
    recorded(folder, *shift(5))
    (folder / "damaged-0.db").write_bytes(b"")
    assert looked(capfd, "--outbox", folder)["damaged_files"] == ["damaged-0.db"]


def test_it_stays_and_ends_with_ctrl_c(folder):
    recorded(folder, *shift(5))
    process = subprocess.Popen(
        command("outbox", "--watch", "--json", "--interval", 0.2, "--outbox", folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(2)
    said = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert said == b""
    assert [one["waiting"] for one in lines] == [5, 5, 5]


def test_a_copied_folder_is_read_and_left_as_it_is(folder, tmp_path, capfd):
    copy = tmp_path / "copy"
    with box(folder) as line:
        line.record(*shift(50))
        shutil.copytree(folder, copy)
    (copy / f"{current(copy).name}-shm").unlink()
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert looked(capfd, "--outbox", copy)["waiting"] == 50
    assert {name: (copy / name).read_bytes() for name in before} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs somebody else to be")
def test_a_folder_on_a_read_only_medium_is_read_with_its_log(folder, tmp_path):
    copy = tmp_path / "copy"
    with box(folder) as line:
        line.record(*shift(50))
        shutil.copytree(folder, copy)
    (copy / f"{current(copy).name}-shm").unlink()
    open_to_all(tmp_path)
    for path in copy.iterdir():
        path.chmod(0o444)
    copy.chmod(0o555)
    ended = _as_nobody("tail", "--no-follow", "--json", "-n", 100, "--outbox", copy)
    assert ended.stderr == ""
    assert len(ended.stdout.splitlines()) == 50
    assert not (copy / f"{current(copy).name}-shm").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs somebody else to be")
def test_who_may_not_read_it_is_told_who_may(folder, tmp_path):
    recorded(folder, *shift(5))
    folder.chmod(0o750)
    open_to_all(tmp_path)
    ended = _as_nobody("tail", "--no-follow", "--outbox", folder)
    assert ended.returncode == 1
    assert "run it as root, or as a member of the appliance's group" in ended.stderr
    assert ended.stderr.count("\n") == 1


def _as_nobody(*arguments):
    """The command, by a user who owns nothing; what it imports is read before, for that may be root's."""
    code = (
        "import os, sys, appliance.results.tail; from appliance.cli import main; "
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "results", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def _stream(folder):
    history = History(folder)
    try:
        return history.streams()[0].stream
    finally:
        history.close()
