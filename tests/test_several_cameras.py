"""A station as a plant has it: several cameras, parts that two of them see, recipes that change with the product."""

import json
import subprocess
import sys

import pytest
from running import REPOSITORY, VALIDATOR, until


def appliance_command(line, *arguments):
    """The `appliance` command, beside the box."""
    command = [sys.executable, "-m", "appliance.cli", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


TWICE = """
[cameras.again]
recipe = "part"
trigger = "part"
camera = { driver = "virtual", seed = 8 }
[parts.turned]
cameras = ["again"]
frames = 2
interval_ms = 100
ok_min = 1
trigger = "timer"
takt_ms = 400
"""
TWO_OF_ONE_PART = """
[cameras.side]
recipe = "part"
trigger = "part"
camera = { driver = "virtual", seed = 6 }
[cameras.lone]
recipe = "part"
takt_ms = 200
camera = { driver = "virtual", seed = 7 }
[parts.housing]
cameras = ["top", "side"]
trigger = "command"
[recipes.other]
model = "surface"
deadline_ms = 400
[recipes.impossible]
model = "surface"
deadline_ms = 400
labels = ["cat", "dog"]
"""


def start(appliance, **changes):
    line = appliance(
        line='trigger = "part"',
        camera='driver = "virtual"\nseed = 5',
        recipe="deadline_ms = 300",
        mqtt='commands = ["trigger", "recipe"]',
        extra=TWO_OF_ONE_PART + TWICE,
        **changes,
    ).start()
    until(lambda: line.get("/readyz")[0] == 200, "the line to be ready", 120)
    return line


def of(subscriber, camera):
    return [one for one in subscriber.results if one["camera"] == camera]


def test_a_part_that_two_cameras_see_gets_one_combined_result_and_each_camera_its_own(appliance, subscriber):
    line = start(appliance)
    for number in range(10):
        said = appliance_command(
            line,
            "trigger",
            "housing",
            "--part-id",
            f"SN-{number}",
            "--wait",
            "--socket",
            str(line.folder / "state" / "line.sock"),
        )
        assert said.returncode == 0, said.stdout + said.stderr
    until(lambda: len(of(subscriber, "housing")) == 10, "ten combined results")
    combined = of(subscriber, "housing")
    for message in combined:
        VALIDATOR.validate(message)
    assert [one["part_id"] for one in combined] == [f"SN-{number}" for number in range(10)]
    assert [one["trigger_id"] for one in combined] == list(range(10))
    assert json.loads(subscriber.latest["housing/status"])["state"] == "online"
    for camera in ("top", "side"):
        assert [one["part_id"] for one in of(subscriber, camera)] == [f"SN-{number}" for number in range(10)]
    for one in combined:
        views = {view["camera"]: view["evaluation"] for view in one["views"]}
        assert set(views) == {"top", "side"}
        assert (one["verdict"] == "pass") == (set(views.values()) == {"OK"})
    assert any({view["evaluation"] for view in one["views"]} <= {"OK", "NotOK", "NotDecidable"} for one in combined)
    assert len(of(subscriber, "lone")) > 5, "the other camera went on"
    turned = until(lambda: of(subscriber, "turned")[2:8], "parts that one camera sees twice")
    for number, one in enumerate(turned, 2):
        assert [view["trigger_id"] for view in one["views"]] == [2 * number, 2 * number + 1]
        assert (one["verdict"] == "pass") == ("OK" in {view["evaluation"] for view in one["views"]})
    assert line.stop() == 0


@pytest.mark.slow
def test_the_recipe_changes_between_two_parts_and_a_bad_one_is_refused(appliance, subscriber):
    line = start(appliance)
    socket = ("--socket", str(line.folder / "state" / "line.sock"))
    until(lambda: len(of(subscriber, "lone")) > 3, "parts")
    said = appliance_command(line, "recipe", "switch", "impossible", *socket)
    assert said.returncode == 1
    assert "impossible" in said.stderr
    assert "label" in said.stderr.lower()
    said = appliance_command(line, "recipe", "switch", "other", "--camera", "lone", "--job", "order-17", *socket)
    assert said.returncode == 0, said.stderr
    until(lambda: any(one["recipe_id"] == "other" for one in of(subscriber, "lone")), "the new recipe")
    lone = of(subscriber, "lone")
    first = next(number for number, one in enumerate(lone) if one["recipe_id"] == "other")
    assert {one["recipe_id"] for one in lone[:first]} == {"part"}
    assert {(one["recipe_id"], one["job_id"], one["deadline_ms"]) for one in lone[first:]} == {
        ("other", "order-17", 400)
    }
    assert [one["trigger_id"] for one in lone] == list(range(len(lone))), "no part was lost at the changeover"
    assert len({one["config_id"] for one in lone}) == 2
    assert line.stop() == 0
    line.start()
    seen = len(subscriber.results)
    until(lambda: of(subscriber, "lone")[-1] in subscriber.results[seen:], "results after the restart")
    assert of(subscriber, "lone")[-1]["recipe_id"] == "other", "the restart goes on with the same product"
    _, recipes = until(lambda: (answer := line.get("/recipes"))[0] == 200 and answer, "the page", 120)
    assert {one["camera"]: one["recipe"] for one in recipes["recipes"]} == {
        "top": "part",
        "side": "part",
        "lone": "other",
        "again": "part",
    }
    assert line.stop() == 0


@pytest.mark.slow
def test_an_unknown_name_is_answered_with_the_nearest(appliance, subscriber):
    line = start(appliance)
    socket = ("--socket", str(line.folder / "state" / "line.sock"))
    said = appliance_command(line, "trigger", "housng", *socket)
    assert said.returncode == 1
    assert "did you mean 'housing'?" in said.stderr
    said = appliance_command(line, "trigger", "lone", *socket)
    assert said.returncode == 1
    assert "timer" in said.stderr
    said = appliance_command(line, "recipe", "switch", "othr", *socket)
    assert "did you mean 'other'?" in said.stderr
    assert line.stop() == 0


@pytest.mark.slow
def test_a_changed_file_stops_only_what_it_changes(appliance, subscriber):
    line = start(appliance)
    until(lambda: len(of(subscriber, "lone")) > 3, "parts")
    text = line.config_file.read_text()
    line.config_file.write_text(text.replace("deadline_ms = 400", "deadline_ms = 450"))
    line.process.send_signal(1)
    until(lambda: "was read again" in line.log(), "the reload")
    lone = len(of(subscriber, "lone"))
    until(lambda: len(of(subscriber, "lone")) > lone + 3, "more parts")
    numbers = [one["trigger_id"] for one in of(subscriber, "lone")]
    assert numbers == list(range(len(numbers))), "a recipe that is not in force stops no line"
    said = appliance_command(line, "recipe", "switch", "other", "--socket", str(line.folder / "state" / "line.sock"))
    assert said.returncode == 0, said.stderr
    until(lambda: of(subscriber, "lone")[-1]["deadline_ms"] == 450, "the changed recipe")
    assert line.stop() == 0
