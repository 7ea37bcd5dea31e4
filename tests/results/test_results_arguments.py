"""What people type, and what they are told when it is not that."""

import argparse
import subprocess
import sys
import time

import pytest
from results.boxes import recorded, result, results

from appliance.results import moments


@pytest.mark.parametrize("verb", ["tail", "export", "stats", "verify", "replay", "outbox"])
def test_each_command_explains_itself_with_examples(verb, capsys):
    assert results(verb, "--help") == 0
    said = capsys.readouterr().out
    assert "examples:" in said
    assert f"appliance results {verb}" in said


def test_the_help_loads_nothing_heavy():
    code = "import sys; from appliance.results.arguments import add_results; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"pydantic", "numpy", "pyarrow", "sqlite3"} & set(loaded)


@pytest.mark.parametrize(("text", "ago_s"), [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("1w", 604_800)])
def test_a_span_is_counted_back_from_now(text, ago_s):
    assert abs(time.time_ns() - moments.moment(text) - ago_s * 1e9) < 2e9


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-20T06:00:00Z", "2026-11-20T06:00:00.000Z"),
        ("2026-11-20T06:00Z", "2026-11-20T06:00:00.000Z"),
        ("2026-11-20 06:00:00.25+01:00", "2026-11-20T05:00:00.250Z"),
        ("2026-11-20t06:00:00.1234567z", "2026-11-20T06:00:00.123Z"),
    ],
)
def test_a_moment_is_rfc_3339(text, utc):
    assert moments.text(moments.moment(text)) == utc


@pytest.mark.parametrize("text", ["2026-11-20", "2026-11-20T06:00:00", "yesterday", "2", "-2h", "2026-13-01T00:00Z"])
def test_a_moment_that_could_mean_two_things_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no moment"):
        moments.moment(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["tail", "--since", "noon"],
        ["export", "--format", "xml"],
        ["stats", "--by", "weather"],
        ["stats", "--shifts", "6,25"],
        ["verify", "--expect", "sha256:12"],
        ["replay", "--camera", "top"],
        ["tail", "--config", "a.toml", "--outbox", "b"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    assert results(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_that_is_none_is_one_sentence(tmp_path, capsys):
    assert results("tail", "--no-follow", "--outbox", tmp_path / "nothing") == 1
    assert "There is no folder" in capsys.readouterr().err
    assert results("tail", "--no-follow", "--outbox", tmp_path) == 1
    assert "is it an outbox folder" in capsys.readouterr().err


def test_a_box_is_found_by_its_operators_file(tmp_path, capsys):
    from appliance.cli import main

    main(["example-config"])
    text = capsys.readouterr().out
    assert "[outbox]" in text
    config = tmp_path / "appliance.toml"
    config.write_text(text.replace("[station]", f'[station]\nstate_folder = "{tmp_path}/state"', 1), encoding="utf-8")
    recorded(tmp_path / "state" / "outbox", result(1))
    assert results("tail", "--no-follow", "--config", config) == 0
    assert "good 0.979" in capsys.readouterr().out
