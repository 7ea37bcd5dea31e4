"""A version is prepared once for a box; what serves then gives the SavedModel's answers, faster."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.runtimes.child import Child
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.prepared import Prepared
from appliance.serving import ServableId

ID = ServableId("surface", 7)


@pytest.fixture(scope="module")
def cache(tmp_path_factory, models):
    """A cache in which the classifier is prepared for each engine by itself."""
    folder = tmp_path_factory.mktemp("cache")
    for engine in ("litert", "tensorflow-frozen"):
        options = json.dumps({"engines": [engine]})
        ended = Child(
            "appliance.runtimes.prepare", [str(models / "classifier"), str(folder), "--options", options]
        ).wait(60)
        assert ended.code == 0, ended.err
    return folder


def records(cache):
    return [Prepared.model_validate_json(file.read_bytes()) for file in cache.glob("*/prepared.json")]


def test_engines_agree_with_the_saved_model_on_drawn_and_golden_samples(cache):
    compared = {engine: parity for record in records(cache) for engine, parity in record.parity.items()}
    assert set(compared) == {"litert", "tensorflow-frozen"}
    for parity in compared.values():
        assert parity.agrees
        assert parity.largest_difference < 1e-4
        assert parity.samples == 3 * 5 + 2  # three signatures, and two golden samples of the first


def test_what_is_kept_is_a_record_and_one_file(cache):
    for entry in cache.iterdir():
        record = Prepared.model_validate_json((entry / "prepared.json").read_bytes())
        names = {file.name for file in entry.iterdir()}
        assert names == {"prepared.json"} | ({record.file.name} if record.file else set())


def test_signatures_that_are_one_function_share_it(cache):
    for record in records(cache):
        if record.engine != "tensorflow-saved-model":
            assert record.same_as == {"same": "serving_default"}


@pytest.mark.parametrize("engine", ["litert", "tensorflow-frozen"])
def test_a_prepared_version_is_loaded_without_preparing(cache, models, expected, engine):
    loader = SavedModelLoader(models / "classifier", RuntimeConfig(cache=cache, engines=(engine,)))
    before = sorted(cache.iterdir())
    model = loader.load(ID)
    assert sorted(cache.iterdir()) == before
    assert model.engine == engine
    for signature in ("serving_default", "same"):
        found = model.predict({"image": expected["images"]}, signature)["scores"]
        np.testing.assert_allclose(found, expected["scores"], atol=1e-5)
    best = model.predict({"image": expected["images"]}, "best")["best"]
    assert best.tolist() == expected["scores"].argmax(-1).tolist()
    loader.unload()


def damage_one_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_damaged_entry_is_found_and_made_again(cache, models, tmp_path, expected):
    copy = Path(shutil.copytree(cache, tmp_path / "cache"))
    (file,) = copy.glob("*/graph.pb")
    damage_one_bit(file)
    damaged = file.read_bytes()
    loader = SavedModelLoader(models / "classifier", RuntimeConfig(cache=copy, engines=("tensorflow-frozen",)))
    model = loader.load(ID)
    np.testing.assert_allclose(model.predict({"image": expected["images"]})["scores"], expected["scores"], atol=1e-5)
    loader.unload()
    assert model.engine == "tensorflow-frozen"
    assert file.read_bytes() != damaged


def test_a_model_with_a_table_is_served_as_it_was_exported_and_says_why(models, tmp_path):
    loader = SavedModelLoader(models / "table", RuntimeConfig(cache=tmp_path / "cache"))
    model = loader.load(ID)
    assert model.engine == "tensorflow-saved-model"
    assert (
        "tensorflow-frozen is not possible (signature 'serving_default' uses LookupTableFindV2" in model.engine_reason
    )
    assert "litert is not possible" in model.engine_reason
    assert model.predict({"index": np.array([2, 5])})["value"].tolist() == [30.0, -1.0]
    loader.unload()


def test_a_model_that_cannot_be_served_is_refused_while_it_is_prepared(models, tmp_path):
    ended = Child("appliance.runtimes.prepare", [str(models / "holds_keras"), str(tmp_path / "cache")]).wait(60)
    assert ended.code == 2
    assert "export it again with keras" in ended.how
    assert list((tmp_path / "cache").iterdir()) == []


def test_preparing_has_the_lowest_priority_and_is_the_first_to_go(tmp_path):
    program = tmp_path / "priority.py"
    program.write_text(
        "import os, resource\n"
        "from appliance.runtimes.prepare.background import become_background\n"
        "become_background(1 << 30)\n"
        "print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE, open('/proc/self/oom_score_adj').read().strip(),"
        " resource.getrlimit(resource.RLIMIT_DATA)[0])\n"
    )
    said = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    ).stdout.split()
    assert said == ["19", "True", "1000", str(1 << 30)]
