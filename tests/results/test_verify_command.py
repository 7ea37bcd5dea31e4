"""Whether every number is there, and nothing was changed since: of the box itself, and of what somebody archived."""

import json
import sqlite3

import pytest
from results.boxes import box, payloads, recorded, result, results, shift

from appliance.outbox import history
from appliance.outbox.chain import digest
from appliance.outbox.files import current


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def archive(folder, tmp_path):
    recorded(folder, *shift(30), *shift_of_side())
    file = tmp_path / "archive.jsonl"
    file.write_bytes(b"\n".join(payloads(folder)) + b"\n")
    return file


def shift_of_side():
    return [result(n, "side") for n in range(1, 6)]


def verified(capfd, *arguments):
    code = results("verify", "--json", *arguments)
    found = json.loads(capfd.readouterr().out)
    assert found["is_well"] is (code == 0)
    return found


def test_what_the_box_recorded_is_whole(folder, archive, capfd):
    assert results("verify", "--outbox", folder) == 0
    out = capfd.readouterr().out
    assert "✓ Nothing is missing, and nothing was changed" in out
    tops = [one for one in payloads(folder) if b'"camera":"top"' in one]
    assert digest(tops[-1]) in out


def test_an_archive_says_the_same_as_the_box(folder, archive, capfd):
    assert verified(capfd, archive)["streams"] == verified(capfd, "--outbox", folder)["streams"]


def test_an_export_can_be_verified_as_it_is(folder, tmp_path, capfd):
    recorded(folder, *shift(30))
    file = tmp_path / "results.jsonl"
    assert results("export", "-o", file, "--outbox", folder) == 0
    assert results("verify", file) == 0


@pytest.mark.parametrize(
    ("change", "kind", "numbers"),
    [
        (lambda lines: lines[:9] + lines[10:], "missing", (10, 10)),
        (lambda lines: _with(lines, 9, b'"fail"', b'"pass"'), "broken_link", (10, 11)),
        (lambda lines: [*lines[:9], lines[9][:50], *lines[10:]], "unreadable", (10, 10)),
    ],
)
def test_a_change_is_found_and_said_with_stream_and_number(archive, capfd, change, kind, numbers):
    lines = archive.read_bytes().splitlines()
    archive.write_bytes(b"\n".join(change(lines)) + b"\n")
    found = verified(capfd, archive)
    assert found["found"][kind] == 1
    finding = next(one for one in found["findings"] if one["kind"] == kind)
    assert (finding["from_sequence"], finding["to_sequence"]) == numbers
    assert results("verify", archive) == 1
    assert "✗ " + finding["message"] in capfd.readouterr().out


def test_what_was_replayed_or_came_twice_is_no_change(archive, capfd):
    lines = archive.read_bytes().splitlines()
    again = [line.replace(b'"replayed":false', b'"replayed":true') for line in lines[4:8]]
    archive.write_bytes(b"\n".join([*lines[:4], *again, *lines[8:], lines[2], lines[3]]) + b"\n")
    found = verified(capfd, archive)
    assert found["is_well"]
    assert found["repeated"] == 2


def test_a_gap_is_a_loss_that_is_named(folder, tmp_path, capfd):
    with box(folder) as line:
        line.record(*shift(3))
        line.outbox.append("top", "result", {**result(4), "detail": float("nan")})
        line.record(result(5))
    found = verified(capfd, "--outbox", folder)
    assert found["is_well"]
    assert found["lost"] == 1
    (stream,) = found["streams"]
    assert (stream["first"], stream["last"], stream["results"], stream["lost"]) == (1, 5, 4, 1)
    assert results("verify", "--outbox", folder) == 0
    assert "✓ Nothing is missing but 1 number that gap messages name, and nothing was" in capfd.readouterr().out


def test_a_row_that_is_not_what_was_written_is_found_on_the_box(folder, capfd):
    recorded(folder, *shift(20))
    db = sqlite3.connect(current(folder))
    payload = db.execute("SELECT payload FROM rows WHERE row = 10").fetchone()[0]
    db.execute("UPDATE rows SET payload = ? WHERE row = 10", (payload.replace(b'"fail"', b'"pass"'),))
    db.commit()
    db.close()
    found = verified(capfd, "--outbox", folder)
    assert not found["is_well"]
    assert found["damaged_rows"] == 1
    assert results("verify", "--outbox", folder) == 1
    assert "Not what was written: 1 row of the file" in capfd.readouterr().out


def test_a_damaged_row_hides_no_other_one(folder, capfd, monkeypatch):
    monkeypatch.setattr(history, "_STRETCH_ROWS", 1500)
    recorded(folder, *shift(3000))
    db = sqlite3.connect(current(folder))
    db.execute("UPDATE rows SET payload = zeroblob(100) WHERE row = 500")
    db.commit()
    db.close()
    found = verified(capfd, "--outbox", folder)
    assert [(one["from_sequence"], one["to_sequence"]) for one in found["findings"]] == [(500, 500)]


def test_rows_taken_from_the_end_are_missed(folder, capfd):
    recorded(folder, *shift(20))
    db = sqlite3.connect(current(folder))
    db.execute("DELETE FROM rows WHERE row > 17")
    db.commit()
    db.close()
    found = verified(capfd, "--outbox", folder)
    (finding,) = found["findings"]
    assert (finding["kind"], finding["from_sequence"], finding["to_sequence"]) == ("missing", 18, 20)


def test_a_digest_that_somebody_noted_has_to_be_there(archive, capfd):
    lines = archive.read_bytes().splitlines()
    noted = digest(lines[11])
    assert results("verify", archive, "--expect", noted) == 0
    assert "is number 12 of stream" in capfd.readouterr().out
    lines[11] = lines[11].replace(b'"replayed":false', b'"replayed":true')
    archive.write_bytes(b"\n".join(lines) + b"\n")
    assert results("verify", archive, "--expect", noted) == 0
    archive.write_bytes(b"\n".join(lines[:8]) + b"\n")  # whole, as far as it goes
    assert results("verify", archive) == 0
    capfd.readouterr()
    assert results("verify", archive, "--expect", noted) == 1
    assert f"No message has the digest {noted}" in capfd.readouterr().out


def test_one_camera_or_a_range_can_be_verified_alone(archive, folder, capfd):
    for source in ([archive], ["--outbox", folder]):
        (stream,) = verified(capfd, *source, "--camera", "side")["streams"]
        assert (stream["camera"], stream["first"], stream["last"]) == ("side", 1, 5)
        found = verified(capfd, *source, "--camera", "top", "--from-sequence", 11, "--to-sequence", 20)
        assert found["is_well"]
        assert [(one["first"], one["last"]) for one in found["streams"]] == [(11, 20)]


@pytest.mark.slow
def test_what_gave_way_for_newer_results_is_lost_and_named(folder, capfd):
    with box(folder, max_bytes=4 * 1024**2, policy="drop_oldest", keep_days=0) as line:
        for begin in range(0, 6000, 1000):
            line.record(*(result(begin + n) for n in range(1, 1001)))
    found = verified(capfd, "--outbox", folder)
    assert found["findings"] == []
    (stream,) = found["streams"]
    assert (stream["first"], stream["last"]) == (1, 6000)
    assert stream["lost"] > 1000
    assert stream["lost"] + stream["results"] == 6000


def test_it_goes_on_over_a_restart(folder, capfd):
    recorded(folder, *shift(5))
    recorded(folder, result(6), result(7))
    (stream,) = verified(capfd, "--outbox", folder)["streams"]
    assert (stream["first"], stream["last"]) == (1, 7)


def test_a_file_and_a_box_are_not_verified_together(archive, folder, capfd):
    assert results("verify", archive, "--outbox", folder) == 1
    assert "not both" in capfd.readouterr().err


def _with(lines, nth, old, new):
    assert old in lines[nth]
    return [*lines[:nth], lines[nth].replace(old, new), *lines[nth + 1 :]]
