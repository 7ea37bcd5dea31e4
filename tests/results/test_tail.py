"""The live view, of a line that records while somebody looks."""

import json
import os
import queue
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest
from results.boxes import box, command, payloads, recorded, result, results, shift

from appliance.outbox.files import current


class Tail:
    """The command in a process of its own, and what it prints, with the moment when it did."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(command("tail", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line))

    def until(self, text, timeout_s=20.0):
        """The line that has it, and when it came."""
        end_s = time.monotonic() + timeout_s
        while True:
            at_s, line = self.lines.get(timeout=max(0.01, end_s - time.monotonic()))
            if text in line:
                return at_s, line

    def end(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read().decode()
        code = self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return code, said


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


def test_the_newest_are_shown_in_the_order_of_recording(folder, capfdbinary):
    recorded(folder, *shift(60))
    assert results("tail", "--no-follow", "--json", "-n", 5, "--outbox", folder) == 0
    assert capfdbinary.readouterr().out.splitlines() == payloads(folder)[-5:]


def test_a_filter_looks_back_until_there_are_enough(folder, capfdbinary):
    recorded(folder, *shift(300))
    assert results("tail", "--no-follow", "--json", "-n", 3, "--evaluation", "Undefined", "--outbox", folder) == 0
    found = [json.loads(line)["sequence"] for line in capfdbinary.readouterr().out.splitlines()]
    assert found == [239, 269, 299]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--verdict", "fail", "--to-sequence", "20"], [10, 15, 20]),
        (["--reason", "FRAME_MISSING", "--reason", "BETWEEN_LIMITS", "--to-sequence", "45"], [15, 29, 45]),
        (["--part", "SN 4711"], [7]),
        (["--recipe", "housing-b"], [8]),
        (["--from-sequence", "58"], [58, 59, 60]),
        (["--camera", "side"], [1]),
    ],
)
def test_results_can_be_chosen_by_what_stands_in_them(folder, capfdbinary, options, numbers):
    parts = shift(60)
    parts[6]["part_id"], parts[7]["recipe_id"] = "SN 4711", "housing-b"
    recorded(folder, *parts, result(1, "side"))
    assert results("tail", "--no-follow", "--json", *options, "--outbox", folder) == 0
    assert [json.loads(line)["sequence"] for line in capfdbinary.readouterr().out.splitlines()] == numbers


def test_a_line_says_what_a_person_asks(folder, capfd):
    late = result(4, evaluation="Undefined", detail="no picture came")
    recorded(folder, result(3, evaluation="NotOK", part_id="SN 4711"), late)
    assert results("tail", "--no-follow", "--outbox", folder) == 0
    out = capfd.readouterr().out
    rejected = next(line for line in out.splitlines() if "SN 4711" in line)
    for said in ("05:00:03.000", "top", "fail", "NotOK", "scratch 0.973", "13.0 ms", "CLASS_ABOVE_LIMIT"):
        assert said in rejected
    assert "LATE" not in rejected
    undefined = next(line for line in out.splitlines() if "FRAME_MISSING" in line)
    assert "LATE" in undefined
    assert "(no picture came)" in undefined
    assert "2026-11-20 (UTC)" in out
    assert "recipe housing-a, model surface 7" in out
    assert "\x1b" not in out  # no colours where it is no terminal


def test_what_a_message_says_cannot_steer_the_terminal(folder, capfd):
    recorded(folder, result(1, part_id="\x1b[2Jgone"))
    assert results("tail", "--no-follow", "--outbox", folder) == 0
    assert "\x1b" not in capfd.readouterr().out


def test_a_gap_is_shown_whatever_is_filtered(folder, capfd):
    with box(folder) as line:
        line.record(result(1))
        line.outbox.append("top", "result", {**result(2), "detail": float("nan")})  # no JSON: named by a gap
        line.record(result(3))
    assert results("tail", "--no-follow", "--verdict", "fail", "--outbox", folder) == 0
    out = capfd.readouterr().out
    assert "!! GAP  top: number 2 will never come (not_json)" in out
    assert "13.0 ms" not in out


def test_a_result_is_shown_soon_after_it_is_on_the_disk(folder):
    with box(folder) as line:
        line.record(result(1))
        view = Tail("--json", "--outbox", folder)
        view.until(b'"sequence":1,')
        took_s = []
        for number in range(2, 12):
            line.record(result(number))
            at_s = time.monotonic()
            shown_s, _ = view.until(b'"sequence":%d,' % number)
            took_s.append(shown_s - at_s)
        assert sorted(took_s)[5] < 0.25
        assert view.end() == (0, "")


def test_waiting_costs_next_to_nothing(folder):
    with box(folder) as line:
        line.record(result(1))
        view = Tail("--json", "--outbox", folder)
        view.until(b'"sequence":1,')
        before = _cpu_s(view.process.pid)
        threading.Event().wait(1.0)  # the span that is measured
        assert _cpu_s(view.process.pid) - before < 0.1
        view.end()


def test_it_follows_a_line_that_starts_again_and_a_file_that_is_rebuilt(folder):
    recorded(folder, result(1), result(2))
    view = Tail("--outbox", folder)
    view.until(b"12.0 ms")
    recorded(folder, result(3))
    view.until(b"13.0 ms")
    path = current(folder)
    db = sqlite3.connect(path)
    db.execute("UPDATE rows SET payload = zeroblob(100) WHERE row = 3")
    db.commit()
    db.close()
    (folder / "watermark.json").unlink(missing_ok=True)
    _say_damaged(folder, path)
    recorded(folder, result(4))
    _, line = view.until(b"another file now")
    assert b"results-2.db" in line
    view.until(b"GAP")
    view.until(b"14.0 ms")
    code, said = view.end()
    assert (code, said) == (0, "")


def test_whoever_has_read_enough_hears_no_complaint(folder):
    recorded(folder, *shift(2000))
    tail = " ".join(command("tail", "--no-follow", "-n", 2000, "--outbox", folder))
    view = subprocess.run(
        f"{tail} | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    assert view.stdout.splitlines()[-1] == "0"
    assert view.stderr == ""


def test_colours_are_for_terminals_whose_owner_wants_them(folder):
    recorded(folder, result(1, evaluation="NotOK"))
    assert b"\x1b[31m" in _on_a_terminal(folder, {})
    assert b"\x1b[31m" not in _on_a_terminal(folder, {"NO_COLOR": "1"})


def _on_a_terminal(folder, environment):
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command("tail", "--no-follow", "--outbox", folder), stdout=theirs, env={**os.environ, **environment}
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while some := os.read(ours, 65_536):
                shown += some
        except OSError:
            pass  # Linux says so at the end of a terminal
        process.wait(20)
    os.close(ours)
    return shown


def _cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _say_damaged(folder, path):
    """What the gateway says of a row that it cannot read."""
    from appliance.outbox import smallfile

    smallfile.replace(folder / "watermark.json", {"row": 0, "sequences": {}, "damaged_in": path.name})
