"""A model whose metadata says something else than its training did gives other scores here, and does not serve."""

import json
import shutil
import threading
from dataclasses import replace

import pytest
from running import DEMO_MODEL, until

from appliance.config import ApplianceConfig
from appliance.diagnosis import Findings, diagnose
from appliance.fitting import FittingLoader
from appliance.golden import GOLDEN, GoldenFailed, proof, prove
from appliance.inspection import RecipeConfig
from appliance.models import Models
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving import LoadRefused, ServableId
from appliance.status import OutboxStatus

TRAINED = {
    "width": 32,
    "height": 32,
    "color": "RGB8",
    "dtype": "float32",
    "scale": 1 / 255,
    "resize": "area",
}
LIMITS = {"per_class": {"dark": 0.9, "red": 0.9}, "good_min": 0.2}


@pytest.fixture
def package(trained, tmp_path):
    """Make a version as its publisher would: `package(resize="linear")` is what he wrote wrongly of his training."""

    def make(version=1, *, tolerance=0.02, samples=("good", "scratch", "red", "frame"), **wrongly):
        folder = shutil.copytree(trained / "1", tmp_path / "models" / str(version))
        said = json.loads((trained / "scores.json").read_text())
        golden = folder / GOLDEN
        golden.mkdir(parents=True)
        listed = []
        for name in samples:
            shutil.copy(trained / "pictures" / f"{name}.png", golden)
            kind = "frame" if name == "frame" else "crop"
            scores = said["scores"][f"{name}.png"]
            listed.append({"file": f"{name}.png", "scores": scores, "tolerance": tolerance, kind: True})
        (golden / "samples.json").write_text(json.dumps({"input": "image", "output": "scores", "samples": listed}))
        inspection = {
            "labels": ["good", "dark", "red"],
            "good_label": "good",
            "input": {**TRAINED, "regions": said["regions"], **wrongly},
            "limits": LIMITS,
        }
        (folder / "assets.extra" / "inspection.json").write_text(json.dumps(inspection))
        return folder

    return make


def loader(folder, tmp_path, *recipes):
    config = RuntimeConfig(cache=tmp_path / "cache", engines=("tensorflow-saved-model",))
    return FittingLoader(SavedModelLoader(folder, config), folder, lambda: recipes)


def recipe(**changes):
    return RecipeConfig(model="surface", deadline_ms=100, **changes)


def load(folder, tmp_path, *recipes):
    """What is proven of it."""
    held = loader(folder, tmp_path, *recipes)
    model = held.load(ServableId("surface", 1))
    try:
        return prove(folder, model, recipes)
    finally:
        held.unload()


def test_a_model_whose_metadata_is_what_its_training_did_serves(package, tmp_path):
    said = load(package(), tmp_path, recipe())
    assert said.startswith("4 golden samples give the publisher's scores; the furthest differs by 0.0")


@pytest.mark.parametrize(
    ("wrongly", "says"),
    [
        ({"resize": "linear"}, "resize linear"),
        ({"color": "BGR8"}, "color BGR8"),
        ({"scale": 1.0}, "scale 1,"),
        ({"scale": 2 / 255, "offset": -1.0}, "offset -1:"),
        ({"regions": {"left": [12, 90, 200, 100], "right": [230, 20, 200, 160]}}, "frame.png differs"),
    ],
)
def test_a_model_that_was_trained_otherwise_than_its_metadata_says_is_refused(package, tmp_path, wrongly, says):
    with pytest.raises(LoadRefused, match="does not judge here as it did where it was trained") as refused:
        load(package(**wrongly), tmp_path, recipe())
    assert says in str(refused.value)
    assert "compare that with the training" in str(refused.value)


@pytest.mark.parametrize("wrongly", [{"resize": "linear"}, {"color": "BGR8"}])
def test_what_a_recipe_says_of_colours_and_resize_is_proven_too(package, tmp_path, wrongly):
    folder = package()
    with pytest.raises(LoadRefused, match="golden samples do not give"):
        load(folder, tmp_path, recipe(), recipe(input=wrongly))


def test_where_a_station_looks_is_its_own_affair(package, tmp_path):
    elsewhere = recipe(input={"regions": {"seam": (0, 0, 50, 50)}, "tiles": {"width": 20, "height": 20}})
    assert load(package(), tmp_path, elsewhere).startswith("4 golden samples")


def test_a_model_that_no_recipe_uses_is_proven_by_its_own_words(package, tmp_path):
    with pytest.raises(LoadRefused, match="resize linear"):
        load(package(resize="linear"), tmp_path)


def test_a_version_without_golden_samples_serves_unproven(package, tmp_path):
    folder = package()
    shutil.rmtree(folder / GOLDEN)
    assert load(folder, tmp_path, recipe()) is None


def test_samples_that_cannot_be_read_are_no_proof(package, tmp_path):
    folder = package()
    (folder / GOLDEN / "red.png").unlink()
    with pytest.raises(LoadRefused, match=r"red\.png cannot be used"):
        load(folder, tmp_path, recipe())


def test_of_many_samples_a_few_are_run_spread_over_all(package, tmp_path, monkeypatch):
    monkeypatch.setattr(proof, "AT_START_MAX", 2)
    assert load(package(), tmp_path, recipe()).startswith("2 golden samples")


def test_nothing_stays_in_memory_of_a_version_that_is_refused(package, tmp_path):
    held = loader(package(resize="linear"), tmp_path, recipe())
    with pytest.raises(LoadRefused):
        held.load(ServableId("surface", 1))
    with pytest.raises(RuntimeError, match="without a load"):
        held.unload()


def test_the_demos_model_is_proven(tmp_path):
    assert load(DEMO_MODEL / "1", tmp_path, recipe()).startswith("6 golden samples give the publisher's scores")


class Line:
    """The models of a line, as the appliance holds them, and what health says of them."""

    def __init__(self, tmp_path):
        config = {
            "station": {"name": "box", "state_folder": str(tmp_path / "state")},
            "cameras": {"top": {"recipe": "part", "takt_ms": 100, "camera": {"driver": "virtual"}}},
            "recipes": {"part": {"model": "surface", "deadline_ms": 50}},
            "models": {"surface": {"base_path": str(tmp_path / "models"), "engines": ["tensorflow-saved-model"]}},
            "mqtt": {"host": "127.0.0.1", "base_topic": "a/b/c/d/e"},
            "resources": {"poll_s": 0.1},
        }
        (tmp_path / "models").mkdir(exist_ok=True)
        self.stop = threading.Event()
        self.models = Models(ApplianceConfig.model_validate(config), tmp_path / "prepared", lambda _: [recipe()])
        bodies = (self.models.manage, self.models.watch)
        self.threads = [threading.Thread(target=body, args=(self.stop,)) for body in bodies]
        for thread in self.threads:
            thread.start()

    def states(self):
        return {status.version: status.state for status in self.models.statuses()}

    def health(self):
        """Of the model, in sentences."""
        findings = Findings(
            phase="running",
            cameras={},
            finished=frozenset(),
            late_now=frozenset(),
            self_tests={},
            models=self.models.statuses(),
            used=frozenset({"surface"}),
            sources=self.models.problems(),
            outbox=OutboxStatus(True, None, 0, 0, 0.0, 0, 0),
            gateway=None,
            surface=None,
            config=None,
            deliveries={},
            delivery=None,
        )
        return [reason for reason in diagnose(findings) if reason.component == "model/surface"]

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(20)
        self.models.stop()


@pytest.fixture
def line(tmp_path):
    held = Line(tmp_path)
    yield held
    held.end()


def test_the_version_before_serves_on_and_health_says_why(package, line):
    package(1)
    until(lambda: line.states().get(1) == "AVAILABLE", "version 1 to serve")
    package(2, resize="linear")
    until(lambda: line.states().get(2) == "END", "version 2 to be refused")
    assert line.states()[1] == "AVAILABLE"
    (reason,) = line.health()
    assert "golden samples do not give the publisher's scores" in reason.message
    assert "resize linear" in reason.message


def test_the_only_version_does_not_serve_and_the_box_fails_with_the_reason(package, line):
    package(1, color="BGR8")
    until(lambda: line.states().get(1) == "END", "version 1 to be refused")
    (reason,) = line.health()
    assert reason.health.name == "FAILURE"
    assert "color BGR8" in reason.message


def test_a_model_for_one_picture_at_a_time_is_proven_row_by_row(package, tmp_path):
    folder = package()
    held = loader(folder, tmp_path, recipe())
    alone = OneByOne(held.load(ServableId("surface", 1)))
    try:
        prove(folder, alone, [recipe()])
        assert alone.rows == 5
        with pytest.raises(GoldenFailed):
            prove(folder, alone, [recipe(input={"resize": "nearest"})])
    finally:
        held.unload()


class OneByOne:
    """The same model, exported for a batch of one."""

    def __init__(self, model):
        self._model = model
        self.metadata, self.rows = model.metadata, 0
        signature = model.signatures["serving_default"]
        image = signature.inputs["image"]
        inputs = {"image": replace(image, shape=(1, *image.shape[1:]))}
        self.signatures = {"serving_default": replace(signature, inputs=inputs)}

    def predict(self, inputs, signature):
        assert len(inputs["image"]) == 1
        self.rows += 1
        return self._model.predict(inputs, signature)
