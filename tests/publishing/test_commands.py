"""How the publisher's commands feel in the first minutes: help, examples, progress."""

import io
import re
import shlex
import subprocess
import sys

import pytest

from appliance import cli
from appliance.publishing.progress import Bar, Lines, in_bytes, progress_on

COMMANDS = ["keys", "keys new", "keys show", "package", "lint", "sign", "push", "deploy"]


def help_of(command: str, capsys) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main([*command.split(), "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_is_one_that_the_command_takes(command, capsys):
    shown = help_of(command, capsys)
    joined = shown.replace("\\\n", " ")
    examples = re.findall(r"^  appliance (.+)$", joined, re.MULTILINE)
    assert examples, shown
    for example in examples:
        typed, *_ = re.split(r" {4,}[a-z]", example)  # what stands to the right says what it is for
        assert cli._parser().parse_args(shlex.split(typed)).command, example


def test_the_help_lists_commands_by_who_uses_them(capsys):
    shown = help_of("", capsys)
    publishing = shown.split("publishing a model, from anywhere:")[1].split("\n\n")[0]
    assert [line.split()[0] for line in publishing.strip().splitlines()] == [
        "keys",
        "package",
        "lint",
        "sign",
        "push",
        "deploy",
    ]
    assert "others:" not in shown, "each command has its group"


def test_help_and_wrong_use_start_nothing_heavy():
    code = "import sys, appliance.cli\nfor line in (['push', '--help'], ['sign']):\n"
    code += " try: appliance.cli.main(line)\n except SystemExit: pass\n"
    code += "print(sorted({'cv2', 'numpy', 'tensorflow', 'cryptography', 'pydantic'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.endswith("[]\n")


def test_making_a_package_of_a_saved_model_does_not_import_tensorflow_here(demo, tmp_path):
    arguments = ["package", str(demo), "--out", str(tmp_path / "out"), "--model", "surface", "--version", "1"]
    code = f"import sys, appliance.cli\nassert appliance.cli.main({arguments!r}) == 0\n"
    code += "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.endswith("[]\n")


def test_a_bar_shows_share_and_rate_and_stays_as_one_line():
    now = [0.0]
    out = io.StringIO()
    bar = Bar(out, clock=lambda: now[0])
    bar.step("Pushing", 100_000_000)
    for _ in range(4):
        now[0] += 0.5
        bar.advance(12_500_000)
    drawn = out.getvalue().split("\r\x1b[K")[-1]
    assert drawn == f"Pushing  {'█' * 12}{'·' * 12}   50%  50.0 MB of 100 MB  25.0 MB/s"
    now[0] = 4.0
    bar.done()
    assert out.getvalue().endswith("\r\x1b[KPushing  50.0 MB  4.0 s\n")
    before = len(out.getvalue())
    bar.step("Quick", 10)
    for _ in range(1000):
        bar.advance(1)
    assert out.getvalue()[before:].count("\r") == 1, "ten times a second at most"


def test_a_long_name_gives_way_to_how_far_it_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    bar = Bar(out, clock=lambda: 0.0)
    bar.step("Pushing to oci+http://registry.local/models/surface:stable", 100)
    drawn = out.getvalue().split("\r\x1b[K")[-1]
    assert len(drawn) < 80
    assert drawn.startswith("Pushing to oci+")
    assert drawn.endswith("    0%  0 B of 100 B")


def test_lines_for_files_and_pipes():
    out = io.StringIO()
    lines = progress_on(out)
    assert isinstance(lines, Lines)
    lines.step("Verifying")
    lines.step("Pushing", 421_000)
    lines.advance(1)
    lines.done()
    assert out.getvalue() == "Verifying\nPushing (421 kB)\n"


def test_sizes_are_in_the_units_of_disks():
    assert [in_bytes(n) for n in (0, 999, 1000, 94_400_000, 189_000_000, 2 * 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "94.4 MB",
        "189 MB",
        "2.0 TB",
    ]
