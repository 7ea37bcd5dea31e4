"""Results in files that other programs read."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from results.boxes import DIGEST, box, command, payloads, recorded, result, results, shift

from appliance.commissioning.calibrate_rechecks import read_rechecks
from appliance.inspection.calibration.sample import Classes
from appliance.results.columns import _KNOWN


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


def test_json_lines_are_the_messages_byte_for_byte(folder, tmp_path, capfd):
    recorded(folder, *shift(40))
    file = tmp_path / "results.jsonl"
    assert results("export", "-o", file, "--outbox", folder) == 0
    assert file.read_bytes().splitlines() == payloads(folder)
    assert "40 results in" in capfd.readouterr().err


def test_an_export_of_another_span_is_only_that(folder, tmp_path):
    recorded(folder, *shift(40))
    file = tmp_path / "results.jsonl"
    assert results("export", "-o", file, "--outbox", folder, "--since", "1h", "--from-sequence", 11) == 0
    assert len(file.read_bytes().splitlines()) == 30
    assert results("export", "-o", file, "--force", "--outbox", folder, "--until", "1h") == 0
    assert file.read_bytes() == b""


def test_csv_has_a_row_for_each_result(folder, tmp_path):
    part = result(2, evaluation="NotOK", part_id='Gehäuse; "4711"\nB', views=[{"camera": "a", "trigger_id": 1}])
    recorded(folder, result(1), part, result(3, evaluation="Undefined"))
    file = tmp_path / "results.csv"
    assert results("export", "-o", file, "--outbox", folder) == 0
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["sequence"] for row in rows] == ["1", "2", "3"]
    assert rows[1]["part_id"] == part["part_id"]
    assert (rows[1]["label"], rows[1]["score"]) == ("scratch", "0.973")
    assert (rows[1]["model_name"], rows[1]["model_version"]) == ("surface", "7")
    assert (rows[1]["total_ms"], rows[1]["deadline_met"], rows[1]["clock_synchronized"]) == ("12.0", "true", "true")
    for name in ("classes", "views", "model"):
        assert json.loads(rows[1][name]) == part[name]
    assert rows[2]["model"] == rows[2]["label"] == rows[2]["regions"] == ""
    assert rows[0]["exposure_time_utc"] == "2026-11-20T05:00:01.000Z"


def test_every_property_of_a_result_has_its_column(folder, tmp_path):
    from appliance.inspection.result import SCHEMA_PATH

    assert set(json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))["properties"]) <= _KNOWN


def test_what_a_later_version_adds_is_not_dropped(folder, tmp_path):
    recorded(folder, result(1, weather={"humidity": 0.4}))
    file = tmp_path / "results.csv"
    assert results("export", "-o", file, "--outbox", folder) == 0
    with file.open(encoding="utf-8", newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert json.loads(row["more"]) == {"weather": {"humidity": 0.4}}


def test_a_gap_is_no_row_of_a_table_and_is_told(folder, tmp_path, capfd):
    with box(folder) as line:
        line.record(result(1))
        line.outbox.append("top", "result", {**result(2), "detail": float("nan")})
        line.record(result(3))
    for name in ("results.csv", "results.parquet"):
        assert results("export", "-o", tmp_path / name, "--outbox", folder) == 0
        said = capfd.readouterr().err
        assert "1 gap for 1 number that will never come: not in the table." in said
    assert len((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_what_a_spreadsheet_would_compute_stays_and_is_told(folder, tmp_path, capfd):
    recorded(folder, result(1, part_id="=1+1"), result(2, part_id="-"), result(3, part_id="SN-1"))
    file = tmp_path / "results.csv"
    assert results("export", "-o", file, "--outbox", folder) == 0
    assert "2 results with a value that begins with =" in capfd.readouterr().err
    with file.open(encoding="utf-8", newline="") as lines:
        assert [row["part_id"] for row in csv.DictReader(lines)] == ["=1+1", "-", "SN-1"]


def test_parquet_has_types(folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    recorded(folder, *shift(60))
    file = tmp_path / "results.parquet"
    assert results("export", "-o", file, "--outbox", folder) == 0
    table = parquet.read_table(file)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["sequence"] == kinds["model_version"] == "int64"
    assert kinds["exposure_time_utc"] == kinds["recorded_utc"] == "timestamp[ms, tz=UTC]"
    assert kinds["score"] == kinds["total_ms"] == "double"
    assert kinds["deadline_met"] == "bool"
    assert kinds["evaluation"].startswith("dictionary<values=string")
    rows = table.to_pylist()
    assert [row["sequence"] for row in rows] == list(range(1, 61))
    assert rows[0]["exposure_time_utc"] == datetime(2026, 11, 20, 5, 0, 1, tzinfo=timezone.utc)
    assert rows[28]["model"] is None
    assert json.loads(rows[9]["classes"])[0] == {"label": "scratch", "score": 0.973}
    assert [row["evaluation"] for row in rows].count("NotOK") == 6


def test_parquet_without_pyarrow_is_one_sentence(folder, tmp_path):
    recorded(folder, result(1))
    arguments = ["results", "export", "--outbox", str(folder), "-o", str(tmp_path / "a.parquet")]
    code = (
        "import sys; sys.modules['pyarrow'] = None; from appliance.cli import main; "
        f"raise SystemExit(main({arguments!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "Parquet needs pyarrow" in ended.stderr
    assert not (tmp_path / "a.parquet").exists()


@pytest.mark.parametrize("name", ["export.csv", "export.jsonl"])
def test_calibrate_reads_an_export_with_rechecks_as_it_is(folder, tmp_path, name):
    parts = shift(60)
    parts[9]["part_id"] = "SN 10"
    recorded(folder, *parts)
    rechecks = tmp_path / "rechecks.csv"
    rechecks.write_text(
        f"result_id,part_id,recheck\n{parts[0]['result_id']},,good\n,SN 10,bad\n{parts[1]['result_id']},,Bad\n",
        encoding="utf-8",
    )
    file = tmp_path / name
    assert results("export", "-o", file, "--rechecks", rechecks, "--outbox", folder) == 0
    found, notes = read_rechecks(file, "housing-a", DIGEST, Classes(("good", "scratch"), "good"), wants_escapes=True)
    assert {part.name: part.is_good for part in found} == {
        parts[0]["result_id"]: True,
        parts[1]["result_id"]: False,
        parts[9]["result_id"]: False,
    }
    assert any("57" in note and "without a recheck" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("result_id,recheck\nabc,maybe\n", "line 2: the recheck is good or bad, and not 'maybe'"),
        ("id,answer\nabc,good\n", "needs a first line that names its columns"),
        ("result_id,recheck\n", "holds no recheck"),
        ("result_id,recheck\n,good\n", "line 2: a recheck has a result_id or a part_id"),
    ],
)
def test_rechecks_that_cannot_be_used_are_one_sentence(folder, tmp_path, capfd, text, said):
    recorded(folder, result(1))
    rechecks = tmp_path / "rechecks.csv"
    rechecks.write_text(text, encoding="utf-8")
    assert results("export", "-o", tmp_path / "a.csv", "--rechecks", rechecks, "--outbox", folder) == 1
    assert said in capfd.readouterr().err
    assert not (tmp_path / "a.csv").exists()


def test_a_file_that_is_there_stays(folder, tmp_path, capfd):
    recorded(folder, result(1))
    file = tmp_path / "results.jsonl"
    file.write_text("precious", encoding="utf-8")
    assert results("export", "-o", file, "--outbox", folder) == 1
    assert "--force" in capfd.readouterr().err
    assert file.read_text(encoding="utf-8") == "precious"
    assert results("export", "-o", file, "--outbox", folder, "--force") == 0
    assert file.read_bytes().splitlines() == payloads(folder)


def test_an_export_that_fails_leaves_nothing(folder, tmp_path, capfd):
    recorded(folder, result(1), result(2, exposure_time_utc="soon"))
    assert results("export", "-o", tmp_path / "a.parquet", "--outbox", folder) == 1
    assert "'soon'" in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outbox"]


def test_a_format_is_known_by_the_name_or_said(folder, tmp_path, capfd):
    recorded(folder, result(1))
    assert results("export", "-o", tmp_path / "a.xlsx", "--outbox", folder) == 1
    assert "say --format" in capfd.readouterr().err


def test_standard_output_is_for_pipes(folder):
    recorded(folder, *shift(20))
    ended = subprocess.run(command("export", "--outbox", folder), capture_output=True, check=True)
    assert ended.stdout.splitlines() == payloads(folder)
    table = subprocess.run(command("export", "--format", "csv", "--outbox", folder), capture_output=True, check=True)
    assert len(table.stdout.splitlines()) == 21


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_reader_that_ends_early_gets_no_traceback(folder, kind):
    recorded(folder, *shift(2000))
    process = subprocess.Popen(
        command("export", "--format", kind, "--outbox", folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(20) == 1
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "whoever reads this ended" in said


def test_a_full_disk_leaves_nothing(folder, tmp_path):
    recorded(folder, *shift(200))
    ended = subprocess.run(
        command("export", "--outbox", folder, "-o", tmp_path / "a.jsonl"),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_files_end_at_50_kb,
    )
    assert ended.returncode == 1
    assert "cannot be written" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outbox"]


def test_an_archive_of_others_becomes_a_table(folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    recorded(folder, *shift(30))
    archive = tmp_path / "archive.jsonl"
    lines = payloads(folder)
    archive.write_bytes(b"\n".join([*lines, lines[3], lines[7].replace(b'"replayed":false', b'"replayed":true')]))
    assert results("export", "--file", archive, "-o", tmp_path / "a.parquet", "--verdict", "fail") == 0
    assert parquet.read_table(tmp_path / "a.parquet")["sequence"].to_pylist() == [10, 15, 20, 29, 30]


def _files_end_at_50_kb():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_memory_stays_flat_however_many_there_are(tmp_path, kind):
    few, many = (_peak_kb(tmp_path / f"{count}", count, kind) for count in (20_000, 200_000))
    assert many < few + 60_000


def _peak_kb(folder, count, kind):
    with box(folder / "outbox", max_bytes=1024**3, queue_max=100_000) as line:
        for begin in range(0, count, 10_000):
            line.record(*(result(begin + n) for n in range(1, 10_001)))
    file = folder / f"results.{kind}"
    process = subprocess.Popen(command("export", "--outbox", folder / "outbox", "-o", file), stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert file.stat().st_size > 0
    return usage.ru_maxrss
