"""The operator's file: what is wrong is said with its path, its value and the nearest right one."""

from importlib import resources

import pytest
import tomllib

from appliance.config import ApplianceConfig, load_config
from appliance.errors import ConfigError

GOOD = """
[station]
name = "box1"
state_folder = "state"
[cameras.top]
recipe = "flange"
takt_ms = 500
[cameras.top.camera]
driver = "virtual"
[recipes.flange]
model = "surface"
deadline_ms = 100
[models.surface]
base_path = "models/surface"
[mqtt]
host = "127.0.0.1"
base_topic = "acme/plant/area/line/box1"
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "appliance.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path):
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value)


def test_the_example_is_a_configuration_that_works(written):
    text = resources.files("appliance").joinpath("example.toml").read_text(encoding="utf-8")
    assert load_config(written(text)).station.name == "line3-box1"


def test_every_commented_default_of_the_example_is_a_key_that_exists(written):
    """Uncomment each line in turn: a key that does not exist any more would be refused."""
    text = resources.files("appliance").joinpath("example.toml").read_text(encoding="utf-8")
    lines = [line for block in text.split("\n\n") if not block.startswith("# [") for line in [*block.split("\n"), ""]]
    tried = 0
    for number, line in enumerate(lines):
        candidate = line.removeprefix("# ")
        if not line.startswith("# ") or " = " not in candidate or not candidate[0].islower():
            continue
        key = candidate.split(" = ")[0]
        if key in {"driver", "folder", "repeat"} and "pictures" in candidate + "".join(lines[number - 3 : number]):
            continue  # the folder driver's own three lines, which replace the virtual one's
        changed = [*lines[:number], candidate, *lines[number + 1 :]]
        try:
            tomllib.loads("\n".join(changed))
        except tomllib.TOMLDecodeError:
            continue  # a sentence, not a setting
        tried += 1
        said = ""
        try:
            load_config(written("\n".join(changed)))
        except ConfigError as error:
            said = str(error)
        assert "no such key" not in said, candidate
    assert tried > 30


def test_every_commented_section_of_the_example_works_as_it_stands(written):
    """What is delivered, and how, stands there as whole sections."""
    text = resources.files("appliance").joinpath("example.toml").read_text(encoding="utf-8")
    blocks = [
        "\n".join(line.removeprefix("# ") for line in block.split("\n")) if block.startswith("# [") else block
        for block in text.split("\n\n")
    ]
    config = load_config(written("\n\n".join(blocks)))
    assert config.delivered["surface"].follow == "source"
    assert config.line_name == "acme/linz/hall2/line3"


def test_relative_paths_are_relative_to_the_file(written, tmp_path):
    config = load_config(written(GOOD))
    assert config.station.state_folder == tmp_path / "state"
    assert config.models["surface"].base_path == tmp_path / "models/surface"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("deadline_ms = 100", "deadlin_ms = 100", ["recipes.flange.deadlin_ms = 100", "Did you mean deadline_ms?"]),
        ("deadline_ms = 100", 'deadline_ms = "fast"', ["recipes.flange.deadline_ms", "'fast'", "milliseconds"]),
        ("deadline_ms = 100", "deadline_ms = -1", ["recipes.flange.deadline_ms is -1", "greater than 0"]),
        ('driver = "virtual"', 'driver = "virtal"', ["cameras.top.camera.driver", "'virtal'", "Did you mean virtual?"]),
        ('driver = "virtual"', 'driver = "virtual"\nsed = 1', ["cameras.top.camera.sed = 1", "Did you mean seed?"]),
        ('driver = "virtual"', 'driver = "folder"', ["cameras.top.camera.folder is missing"]),
        ('recipe = "flange"', 'recipe = "flnge"', ["cameras.top.recipe is 'flnge'", "flange"]),
        ('model = "surface"', 'model = "surfaces"', ["recipes.flange.model is 'surfaces'", "surface"]),
        ("takt_ms = 500", "", ["takt_ms"]),
        ("takt_ms = 500", 'takt_ms = 500\ntrigger = "tmer"', ["cameras.top.trigger is 'tmer'", "Did you mean timer?"]),
        ("[mqtt]", "[mqqt]", ["mqqt", "Did you mean mqtt?", "mqtt is missing"]),
        ('base_topic = "acme/plant/area/line/box1"', 'base_topic = "acme/+/x"', ["mqtt.base_topic is 'acme/+/x'"]),
        ("[cameras.top]", '[cameras."to/p"]\nrecipe="flange"\n[cameras.top]', ["cameras", "to/p"]),
        ("[models.surface]", '[models.surface]\nengines = ["litert", "tf"]', ["models.surface.engines.1 is 'tf'"]),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_path_and_the_nearest_right_one(written, old, new, says):
    assert old in GOOD
    said = refusal(written(GOOD.replace(old, new, 1)))
    for part in says:
        assert part in said, said


def test_a_file_that_is_no_toml_says_the_line(written):
    assert "line 2" in refusal(written("[station]\nname = = 3\n"))


def test_a_file_that_is_not_there_says_its_path(tmp_path):
    assert str(tmp_path / "none.toml") in refusal(tmp_path / "none.toml")


def test_what_decides_a_verdict_changes_the_config_id(written):
    one = load_config(written(GOOD))
    other = load_config(written(GOOD.replace("deadline_ms = 100", "deadline_ms = 99")))
    same = load_config(written(GOOD.replace("[mqtt]", "[mqtt]\nport = 1884")))
    assert one.config_id("top") != other.config_id("top")
    assert one.config_id("top") == same.config_id("top")


def test_every_setting_has_a_description():
    def undescribed(model, where):
        for name, info in model.model_fields.items():
            inner = getattr(info.annotation, "model_fields", None)
            if inner is not None:
                yield from undescribed(info.annotation, f"{where}.{name}")
            elif not info.description and where:
                yield f"{where}.{name}"

    assert list(undescribed(ApplianceConfig, "")) == []


TWO_CAMERAS = """
[cameras.side]
recipe = "flange"
trigger = "part"
camera = { driver = "virtual" }
[parts.housing]
cameras = ["top", "side"]
trigger = "command"
"""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({'cameras = ["top", "side"]': 'cameras = ["side"]'}, ["parts.housing", "no combined result"]),
        ({'cameras = ["top", "side"]': 'cameras = ["top", "sde"]'}, ["parts.housing.cameras", "'sde'"]),
        ({'cameras = ["top", "side"]': 'cameras = ["top", "side"]\nok_min = 3'}, ["ok_min is 3", "2 views"]),
        ({'cameras = ["top", "side"]': 'cameras = ["top", "side"]\nframes = 2'}, ["interval_ms"]),
        ({"[parts.housing]": "[parts.side]"}, ["parts.side has the name of a camera"]),
        ({'trigger = "command"': 'trigger = "timer"'}, ["takt_ms"]),
        ({'trigger = "command"': 'trigger = "gpio"'}, ["gpio", "which pin"]),
        ({'driver = "virtual" }': 'driver = "folder" }'}, ["cameras.side.camera.folder is missing"]),
    ],
)
def test_parts_that_several_cameras_see_are_checked_as_a_whole(written, changes, says):
    text = GOOD.replace("takt_ms = 500", 'trigger = "part"', 1) + TWO_CAMERAS
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    if not says:
        assert load_config(written(text)).parts["housing"].cameras == ("top", "side")
        return
    said = refusal(written(text))
    for part in says:
        assert part in said, said


def test_a_deadline_follows_from_the_gate_and_the_sooner_one_counts(written):
    gate = "gate = { distance_mm = 300, speed_mm_s = 2000, actuator_ms = 70 }"
    config = load_config(written(GOOD.replace("takt_ms = 500", f"takt_ms = 500\n{gate}", 1)))
    assert config.deadline_ms("top", "flange") == 80.0
    config = load_config(written(GOOD.replace("takt_ms = 500", f"takt_ms = 500\n{gate.replace('2000', '500')}", 1)))
    assert config.deadline_ms("top", "flange") == 100.0
    said = refusal(written(GOOD.replace("takt_ms = 500", f"takt_ms = 500\n{gate.replace('70', '170')}", 1)))
    assert "nothing is left for a verdict" in said


def test_where_nothing_else_says_so_the_takt_is_the_deadline(written):
    text = GOOD.replace("deadline_ms = 100", "", 1)
    assert load_config(written(text)).deadline_ms("top", "flange") == 500.0
    said = refusal(written(text.replace("takt_ms = 500", 'trigger = "command"', 1)))
    assert "recipes.flange has no deadline_ms, and cameras.top neither gate nor takt_ms" in said


def test_the_way_from_a_photo_eye_to_the_camera_is_part_of_the_deadline(written):
    eye = 'trigger = "gpio"\ngpio = { line = "EYE", delay_ms = 60 }'
    gate = "gate = { distance_mm = 10, speed_mm_s = 1000 }"
    config = load_config(written(GOOD.replace("takt_ms = 500", f"{eye}\n{gate}", 1)))
    assert config.deadline_ms("top", "flange") == 70.0
    said = refusal(written(GOOD.replace("takt_ms = 500", eye.replace("60", "100"), 1)))
    assert "cameras.top exposes 100 ms after the photo-eye's edge" in said
    wired = GOOD.replace('driver = "virtual"', 'driver = "aravis"\ntrigger = "hardware"', 1)
    assert "the camera's own TriggerDelay" in refusal(written(wired.replace("takt_ms = 500", eye, 1)))


def test_two_lines_cannot_have_one_pin(written):
    text = GOOD.replace("takt_ms = 500", 'trigger = "gpio"\ngpio = { line = 4 }', 1)
    other = (
        '[cameras.side]\nrecipe = "flange"\ntrigger = "gpio"\ngpio = { line = 4 }\ncamera = { driver = "virtual" }\n'
    )
    assert "top and side have the same pin" in refusal(written(text + other))


def test_a_wire_to_the_camera_and_a_timer_do_not_go_together(written):
    real = 'driver = "aravis"\ntrigger = "hardware"'
    said = refusal(written(GOOD.replace('driver = "virtual"', real, 1)))
    assert "cannot be with camera.trigger = 'hardware'" in said
    wired = GOOD.replace('driver = "virtual"', real, 1).replace("takt_ms = 500", 'trigger = "camera"', 1)
    assert not load_config(written(wired)).cameras["top"].is_observed
    both = wired.replace('trigger = "camera"', 'trigger = "gpio"\ngpio = { line = 4 }', 1)
    assert load_config(written(both)).cameras["top"].is_observed


@pytest.mark.parametrize("name", ["ack", "cmd", "desired", "health", "availability", "summary", "model", "deployment"])
def test_a_camera_cannot_have_the_name_of_a_topic_of_the_box(written, name):
    said = refusal(written(GOOD.replace("cameras.top", f"cameras.{name}")))
    assert f"{name!r} cannot be a camera's or a group's name: the box has a topic called so" in said


def test_a_delivered_model_cannot_have_the_name_of_the_topic_of_deployments_steps(written):
    delivered = (
        '[models.events]\nbase_path = "/models"\n[models.events.delivery]\nsource = "/releases"\n'
        'trusted_keys = ["/etc/appliance/keys/plant.pub"]'
    )
    said = refusal(written(f"{GOOD}\n{delivered}\n"))
    assert "a delivered model cannot be called 'events': the box has a topic deployment/events" in said
    load_config(written(f"{GOOD}\n{delivered}\n".replace("events", "eventful")))
