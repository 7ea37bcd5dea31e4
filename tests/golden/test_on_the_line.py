"""A plate with two regions goes through the whole appliance; and a model that was trained otherwise judges no part."""

import json
import shutil

import pytest
from running import Appliance, until

from appliance.golden import GOLDEN

LIMITS = {"per_class": {"dark": 0.5, "red": 0.5}, "good_min": 0.2}
TILES = "[recipes.part.input]\ntiles = { width = 100, height = 80 }"


@pytest.fixture
def line(trained, tmp_path, broker):
    """Start the appliance with the model on the picture that it was shown in training: `line(resize="linear")`."""
    started = []

    def start(recipe="", **wrongly):
        said = json.loads((trained / "scores.json").read_text())
        version = shutil.copytree(trained / "1", tmp_path / "models" / "1")
        (version / GOLDEN).mkdir(parents=True)
        shutil.copy(trained / "pictures" / "frame.png", version / GOLDEN)
        sample = {"file": "frame.png", "frame": True, "scores": said["scores"]["frame.png"], "tolerance": 0.02}
        listed = {"input": "image", "output": "scores", "samples": [sample]}
        (version / GOLDEN / "samples.json").write_text(json.dumps(listed))
        seen = {"width": 32, "height": 32, "color": "RGB8", "dtype": "float32", "scale": 1 / 255, "resize": "area"}
        inspection = {
            "labels": ["good", "dark", "red"],
            "good_label": "good",
            "input": {**seen, "regions": said["regions"], **wrongly},
            "limits": LIMITS,
        }
        (version / "assets.extra" / "inspection.json").write_text(json.dumps(inspection))
        pictures = tmp_path / "pictures"
        pictures.mkdir()
        shutil.copy(trained / "pictures" / "frame.png", pictures)
        one = Appliance(
            tmp_path,
            broker.port,
            camera=f'driver = "folder"\nfolder = "{pictures}"\nrepeat = true',
            recipe=f"deadline_ms = 20000\n{recipe}",
            line="takt_ms = 500\ndetect_frozen = false",
            base_path=tmp_path / "models",
            model='engines = ["tensorflow-saved-model"]',
        )
        started.append(one.start())
        return one

    yield start
    for one in started:
        one.end()


def seen(one, subscriber, what, condition):
    """What `condition` finds; where it finds nothing, what the appliance said."""
    try:
        return until(condition, what, 40)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{subscriber.health()}\n{one.log()[-3000:]}") from error


def judged(subscriber, one):
    """The first result that a model gave."""

    def first():
        return next((result for result in subscriber.results if result["evaluation"] != "Undefined"), None)

    return seen(one, subscriber, "a part to be judged", first)


def test_one_result_names_the_regions_that_failed(line, subscriber):
    result = judged(subscriber, line())
    assert (result["evaluation"], result["reason"], result["verdict"]) == ("NotOK", "CLASS_ABOVE_LIMIT", "fail")
    assert [(one["region"], one["evaluation"], one["label"]) for one in result["regions"]] == [
        ("left", "NotOK", "dark"),
        ("right", "NotOK", "red"),
    ]
    assert sorted(said.split()[0] for said in result["detail"].split("; ")) == ["left:", "right:"]
    assert result["classes"][0]["region"] in {"left", "right"}


@pytest.mark.slow
def test_a_tile_that_failed_is_named_by_its_place_in_its_region(line, subscriber):
    result = judged(subscriber, line(recipe=TILES))
    assert [one["region"] for one in result["regions"]] == ["left", "right"]
    # The scratch begins at 41 % of the width and 30 % of the height: in the first tile of each region.
    assert {said.split(":")[0] for said in result["detail"].split("; ")} <= {
        "left/r1c1", "left/r2c1", "right/r1c1", "right/r2c1",
    }  # fmt: skip


def test_a_model_that_was_trained_otherwise_judges_no_part_and_health_says_why(line, subscriber):
    one = line(resize="linear")
    seen(one, subscriber, "the box to say that no model serves", lambda: "NO_MODEL" in subscriber.codes())
    (said,) = [reason["message"] for reason in subscriber.health()["reasons"] if reason["code"] == "NO_MODEL"]
    assert "golden samples do not give the publisher's scores: frame.png differs by" in said
    assert "resize linear" in said
    seen(one, subscriber, "a result", lambda: subscriber.results)
    assert {result["evaluation"] for result in subscriber.results} == {"Undefined"}
    assert {result["reason"] for result in subscriber.results} == {"NO_MODEL"}
