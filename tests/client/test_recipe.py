"""`appliance trigger` and `appliance recipe` as a person meets them, by a box' page and by the line's socket."""

import contextlib
import json

import pytest
from running import free_port
from steering.floors import Floor

from appliance.cli import main


@pytest.fixture
def floor(tmp_path):
    with contextlib.closing(Floor(tmp_path).start_line()) as one:
        yield one


@pytest.fixture(params=["by its page", "by the line's socket"])
def call(request, floor, capsys):
    """Run a command; its exit code, what it printed, and what it said of errors."""
    where = ["--box", f"http://127.0.0.1:{floor.http.port}"]
    if request.param != "by its page":
        where = ["--socket", str(floor.socket)]

    def run(*arguments):
        code = main([*arguments, *where])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_part_is_triggered(call, floor):
    code, out, err = call("trigger", "top", "--part-id", "SN 4711")
    assert (code, out, err) == (0, "Part 0 of top is triggered.\n", "")
    assert floor.lines.triggered == [("top", "SN 4711")]


def test_who_waits_reads_what_came_of_it(call):
    code, out, _ = call("trigger", "top", "--part-id", "SN 4711", "--wait")
    assert (code, out) == (0, "Part 0 (SN 4711) of top: pass (OK) after 14.4 of 100 ms\n")
    code, out, _ = call("trigger", "both", "--wait", "--json")
    assert json.loads(out)["camera"] == "both"


def test_recipes_are_listed_and_shown(call, floor):
    call("recipe", "switch", "housing-b", "--camera", "top", "--job", "order 7")
    floor.report()
    code, out, _ = call("recipe", "list")
    assert code == 0
    assert [line.split("  ") for line in out.splitlines()][2][0] == "housing-a"
    assert out.splitlines()[3].split() == ["housing-b", "top", "side"]
    code, out, _ = call("recipe")
    assert out.splitlines()[1].split()[:4] == ["top", "housing-b", "order", "7"]
    code, out, _ = call("recipe", "show", "top")
    assert "may be changed to  broken, housing-a" in out
    assert "order 7" in out


def test_a_changeover_says_where_it_is_in_force(call, floor):
    code, out, _ = call("recipe", "switch", "housing-b", "--job", "order 7")
    assert (code, out) == (0, "top, side: recipe housing-b, job order 7 is in force from the next trigger on.\n")
    assert {one.recipe for one in floor.lines.in_force.values()} == {"housing-b"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("trigger", "tpo"), "did you mean 'top'?"),
        (("trigger", "side"), "triggered by its timer"),
        (("trigger", "top", "--part-id", "x" * 129), "part_id is 1 to 128 printable characters"),
        (("trigger", "../etc"), "camera is the name of a camera"),
        (("recipe", "switch", "broken"), "no version of its model serves"),
        (("recipe", "switch", "housing-c"), "did you mean 'housing-b'?"),
        (("recipe", "show", "tpo"), "did you mean top? there are top, side."),
    ],
)
def test_what_is_not_possible_is_one_sentence(call, floor, arguments, says):
    code, out, err = call(*arguments)
    assert (code, out) == (1, "")
    assert says in err
    assert len(err.splitlines()) == 1
    assert floor.lines.triggered == []


def test_a_line_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["trigger", "top", "--socket", str(tmp_path / "line.sock")]) == 1
    assert "The line's process is away" in capsys.readouterr().err
    assert main(["recipe", "--box", f"http://127.0.0.1:{free_port()}"]) == 1
    assert "No box answers at" in capsys.readouterr().err


def test_the_log_names_who_typed(call, caplog):
    caplog.set_level("INFO")
    call("recipe", "switch", "housing-b", "--camera", "top")
    [line] = [one for one in caplog.records if hasattr(one, "WHO")]
    assert line.WHO.startswith("local (")


def test_help_has_examples(capsys):
    for command in ("trigger", "recipe"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "examples:" in capsys.readouterr().out
