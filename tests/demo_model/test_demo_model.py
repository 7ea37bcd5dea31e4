"""The model that is shipped: it fits the appliance, sees the whole part, and its rates are what its page says."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from appliance.config import load_config
from appliance.demo import Demo, DemoSettings
from appliance.inspection.plan import Plan
from appliance.inspection.preprocess import preprocess_picture
from appliance.inspection.quality import QualityGate
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.result import Evaluation
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving.ids import ServableId
from camera.conveyor import KINDS, Scene
from camera.frame import Frame, PixelFormat

ROOT = Path(__file__).parents[2]
VERSION = ROOT / "appliance" / "demo_model" / "1"
GOLDEN = VERSION / "assets.extra" / "golden"
SEED = 7000
"""Of no scene that the model has learnt from, or was measured on."""


@pytest.fixture(scope="module", params=["litert", "tensorflow-frozen", "tensorflow-saved-model"])
def model(request, tmp_path_factory):
    """The model as each engine runs it."""
    config = RuntimeConfig(cache=tmp_path_factory.mktemp("cache"), engines=(request.param,))
    loader = SavedModelLoader(VERSION, config)
    model = loader.load(ServableId("demo", 1))
    assert model.engine == request.param, model.engine_reason
    yield model
    loader.unload()


@pytest.fixture(scope="module")
def scene():
    return Scene(SEED)


def frame_of(pixels):
    return Frame(pixels, PixelFormat.MONO8, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0)


def judge(plan, model, pixels):
    return plan.judge(plan.infer(model, plan.preprocessor.apply(frame_of(pixels)))).evaluation


def test_every_engine_gives_the_golden_scores(model):
    said = json.loads((GOLDEN / "samples.json").read_text())
    for sample in said["samples"]:
        picture = cv2.imread(str(GOLDEN / sample["file"]), cv2.IMREAD_GRAYSCALE)
        shown = {**model.metadata["input"], "roi": None}
        scores = model.predict({said["input"]: preprocess_picture(picture, shown, "Mono8")})[said["output"]][0]
        assert scores == pytest.approx(sample["scores"], abs=sample["tolerance"])
        assert KINDS[int(scores.argmax())] == sample["label"]


def test_parts_of_a_batch_are_judged_like_parts_alone(model):
    pictures = [cv2.imread(str(GOLDEN / f"{kind}.jpg"), cv2.IMREAD_GRAYSCALE)[:, :, None] for kind in KINDS]
    together = model.predict({"image": np.stack(pictures)})["scores"]
    alone = [model.predict({"image": picture[None]})["scores"][0] for picture in pictures]
    assert together == pytest.approx(np.stack(alone), abs=1e-4)


def test_the_metadata_is_all_that_a_recipe_needs(model, scene):
    plan = Plan(RecipeConfig(model="demo", deadline_ms=100), model)
    assert plan.labels == KINDS
    assert judge(plan, model, scene.part(0, "good")[0]) is Evaluation.OK
    assert judge(plan, model, scene.part(0, "missing_hole", 0.6)[0]) is Evaluation.NOT_OK


@pytest.mark.parametrize("model", ["litert"], indirect=True)
def test_few_bad_parts_pass_and_few_good_ones_are_rejected(model, scene):
    plan = Plan(RecipeConfig(model="demo", deadline_ms=100), model)
    goods = [judge(plan, model, scene.part(index, "good")[0]) for index in range(150)]
    bads = [judge(plan, model, scene.part(index, kind)[0]) for kind in KINDS[1:] for index in range(40)]
    assert goods.count(Evaluation.NOT_OK) <= 5
    assert goods.count(Evaluation.OK) >= 135
    assert bads.count(Evaluation.OK) <= 12
    assert Evaluation.UNDEFINED not in {*goods, *bads}


@pytest.mark.parametrize("model", ["litert"], indirect=True)
@pytest.mark.parametrize("level", [0, 54, 128, 255])
def test_a_picture_of_one_grey_level_is_never_good(model, level):
    plan = Plan(RecipeConfig(model="demo", deadline_ms=100), model)
    assert judge(plan, model, np.full((1200, 1920), level, np.uint8)) is not Evaluation.OK


@pytest.mark.parametrize("model", ["litert"], indirect=True)
def test_an_empty_belt_and_a_dark_picture_are_never_good(model, scene):
    plan = Plan(RecipeConfig(model="demo", deadline_ms=100), model)
    part = scene.part(3, "good")[0]
    belt = np.tile(part[:, :200], (1, 10))[:, :1920]
    for picture in (belt, part // 5):
        assert judge(plan, model, picture) is not Evaluation.OK


@pytest.mark.parametrize(("shown", "is_gated"), [({}, True), ({"pictures": VERSION, "model": VERSION}, False)])
def test_the_demo_gates_its_own_parts_and_leaves_other_pictures_to_their_model(tmp_path, shown, is_gated):
    settings = DemoSettings(
        tmp_path, parts=1, takt_ms=100, seed=1, http_port=None, **{"pictures": None, "model": None} | shown
    )
    demo = Demo(settings)
    demo._broker.port = 1883
    demo._write_config(demo._write_config_except_broker())
    quality = load_config(tmp_path / "appliance.toml").recipes["demo"].quality
    assert quality.measures is is_gated
    white = QualityGate(quality).check(frame_of(np.full((1200, 1920), 255, np.uint8)), 0)
    assert (white is not None) is is_gated


def test_wherever_the_part_lies_the_region_shows_all_of_it(scene):
    x, y, width, height = json.loads((VERSION / "assets.extra" / "inspection.json").read_text())["input"]["roi"]
    for index in range(60):
        cut = scene.part(index, "good")[0][y : y + height, x : x + width]
        for edge in (cut[0], cut[-1], cut[:, 0], cut[:, -1]):
            assert np.percentile(edge, 99) < 100  # belt; metal is brighter than that


def test_the_weights_are_stored_once_and_the_model_is_small():
    sizes = {file: file.stat().st_size for file in VERSION.rglob("*") if file.is_file()}
    weights = next(size for file, size in sizes.items() if ".data-" in file.name)
    assert weights < 1.2 * 4 * 27_381
    assert sum(size for file, size in sizes.items() if GOLDEN in file.parents) <= 204_800
    assert sum(sizes.values()) < 1_000_000


def test_no_scene_is_both_learnt_from_and_measured_on(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "deploy" / "demo_model"))
    import parts  # type: ignore[import-not-found]

    try:
        used = [set(seeds) for seeds in (parts.TRAINING_SEEDS, parts.LIMIT_SEEDS, parts.MEASURING_SEEDS)]
    finally:
        del sys.modules["parts"]
    assert len(set.union(*used, {SEED})) == sum(map(len, used)) + 1
