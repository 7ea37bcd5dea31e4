"""A version directory comes into memory and goes out of it, or a sentence says why not."""

import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from appliance.runtimes.config import GpuConfig, RuntimeConfig, SessionConfig
from appliance.runtimes.errors import InvalidInput, LoadError, LoadRefused, NotASavedModel, WarmUpFailed
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.memory import resident_bytes
from appliance.serving import Resource, ResourceAllocation, ResourceTracker, ServableId

ID = ServableId("surface", 7)


@pytest.fixture
def copy(models, tmp_path):
    return lambda name: Path(shutil.copytree(models / name, tmp_path / name))


def test_a_loaded_model_is_warm_and_says_what_it_is(models, config, expected):
    loader = SavedModelLoader(models / "classifier", config)
    model = loader.load(ID)
    assert model.engine == "tensorflow-saved-model"
    assert model.engine_reason == "tensorflow-saved-model: no other engine is allowed"
    assert model.metadata["labels"] == ["good", "scratch", "dent"]
    assert model.digest.startswith("sha256:")
    began = time.thread_time()
    model.predict({"image": expected["images"][:1]})
    assert time.thread_time() - began < 0.02  # the first run of this model takes 0.1 s
    loader.unload()


def test_the_estimate_shrinks_to_what_was_taken(models, config):
    loader = SavedModelLoader(models / "wide", config)
    before = sum(loader.estimate_resources().quantities.values())
    loader.load(ID)
    assert sum(loader.estimate_resources().quantities.values()) < before
    loader.unload()


def test_the_digest_is_of_names_and_bytes(models, config, copy):
    same, renamed, changed = copy("affine"), copy("text"), copy("wide")
    shutil.rmtree(renamed)
    shutil.copytree(same, renamed)
    (renamed / "assets").mkdir(exist_ok=True)
    (renamed / "assets" / "a").write_bytes(b"1")
    shutil.rmtree(changed)
    shutil.copytree(renamed, changed)
    (changed / "assets" / "a").write_bytes(b"2")
    digests = []
    for folder in (models / "affine", same, renamed, changed):
        loader = SavedModelLoader(folder, config)
        digests.append(loader.load(ID).digest)
        loader.unload()
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def refusal(folder, config, kind=LoadRefused):
    loader = SavedModelLoader(folder, config)
    with pytest.raises(kind) as raised:
        loader.load(ID)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(("name", "code"), [("failing", 3), ("holds_keras", 9)])
def test_what_tensorflow_refuses_keeps_its_code(models, config, name, code):
    with pytest.raises(LoadRefused) as raised:
        SavedModelLoader(models / name, config).load(ID)
    assert raised.value.code == code


def test_no_such_folder(tmp_path, config):
    assert "missing is no directory" in refusal(tmp_path / "missing", config, NotASavedModel)


def test_a_folder_that_is_no_saved_model(tmp_path, config):
    assert "not a SavedModel: it has no saved_model.pb" in refusal(tmp_path, config, NotASavedModel)


def test_weights_cut_short(copy, config):
    folder = copy("classifier")
    (weights,) = (folder / "variables").glob("*.data-*")
    weights.write_bytes(weights.read_bytes()[:50])
    assert "copy or export the model again" in refusal(folder, config)


def test_weights_that_are_not_there(copy, config):
    folder = copy("classifier")
    shutil.rmtree(folder / "variables")
    assert "it has no folder `variables`; copy the model again" in refusal(folder, config)


def test_variables_that_no_session_finds_are_told_how_to_export(models, config):
    said = refusal(models / "holds_keras", config)
    assert "no session finds its variable 'dense/kernel'; export it again with keras `model.export(folder)`" in said


def test_a_model_that_always_fails_is_not_served(models, config):
    assert "assertion failed" in refusal(models / "failing", config)


def test_an_operation_that_nobody_has(copy, config):
    folder = copy("affine")
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"AddV2", b"AddV9"))
    assert "uses the operation 'AddV9', which the TensorFlow installed here does not have" in refusal(folder, config)


def test_a_link_to_a_folder_is_not_followed(copy, config, tmp_path):
    folder = copy("affine")
    (folder / "elsewhere").symlink_to(tmp_path)
    assert "is a link to a folder" in refusal(folder, config, NotASavedModel)


def test_a_failed_load_can_be_tried_again(copy, config):
    folder = copy("classifier")
    hidden = folder.parent / "hidden"
    (folder / "variables").rename(hidden)
    loader = SavedModelLoader(folder, config)
    with pytest.raises(LoadError):
        loader.load(ID)
    hidden.rename(folder / "variables")
    assert loader.load(ID).predict({"image": np.zeros((1, 32, 32, 1), np.uint8)})
    loader.unload()


def test_unloading_what_was_not_loaded_is_a_bug(models, config):
    with pytest.raises(RuntimeError, match="without a load"):
        SavedModelLoader(models / "affine", config).unload()


def test_loading_and_unloading_again_and_again_takes_no_more_memory(models, config):
    def some(count):
        for _ in range(count):
            loader = SavedModelLoader(models / "classifier", config)
            loader.load(ID)
            loader.unload()
        return resident_bytes()

    before = some(4)
    assert some(12) - before < 3 << 20


def test_failed_loads_take_no_memory_either(models, config):
    def some(count):
        for _ in range(count):
            refusal(models / "failing", config)
        return resident_bytes()

    before = some(4)
    assert some(12) - before < 3 << 20


def loaded(folder, config, **changes):
    loader = SavedModelLoader(folder, config.model_copy(update=changes))
    return loader, loader.load(ID)


def test_a_model_that_is_served_as_it_was_exported_starts_no_process(models, config, monkeypatch):
    monkeypatch.setattr("appliance.runtimes.loader.Child", None)
    loader, model = loaded(models / "affine", config)
    assert model.engine == "tensorflow-saved-model"
    loader.unload()
    assert not config.cache.exists()


def test_a_model_that_fails_on_made_up_inputs_serves_where_that_is_wanted(models, config):
    loader, model = loaded(models / "failing", config, must_run=False)
    with pytest.raises(InvalidInput, match="assertion failed"):
        model.predict({"x": np.zeros((1, 1), np.float32)})
    loader.unload()


def test_without_a_warm_up_nothing_runs_before_the_first_request(models, config):
    loader, model = loaded(models / "keeper", config, warm_up=False)
    assert model.predict({"x": np.ones(64, np.float32)})["before"].tolist() == [0.0] * 64
    loader.unload()


def test_examples_that_lack_what_the_model_needs_are_no_reason_to_refuse_it(models, config):
    loader, model = loaded(models / "examples", config)
    with pytest.raises(InvalidInput, match=r"x \(data type: float\) is required but could not be found"):
        model.run("regress", {"inputs": np.array([b""], object)})
    loader.unload()


def test_recorded_requests_take_the_place_of_made_up_inputs(models, config):
    asked = []
    loader = SavedModelLoader(models / "failing", config, lambda model, folder: asked.append((model, folder)) or 1)
    assert asked == [(loader.load(ID), models / "failing")]
    loader.unload()


def test_where_nothing_is_recorded_inputs_are_made_up(models, config):
    loader = SavedModelLoader(models / "failing", config, lambda *_: 0)
    with pytest.raises(LoadRefused, match="assertion failed"):
        loader.load(ID)


def test_a_recorded_request_that_fails_ends_the_load_with_its_code(models, config):
    def fail(*_):
        raise WarmUpFailed("no such thing", 9)

    loader = SavedModelLoader(models / "affine", config, fail)
    with pytest.raises(WarmUpFailed, match="no such thing") as raised:
        loader.load(ID)
    assert raised.value.code == 9


def test_a_recording_that_cannot_be_read_leaves_nothing_loaded(models, config):
    def fail(model, _):
        given.append(model)
        raise OSError("the disk is gone")

    given = []
    loader = SavedModelLoader(models / "affine", config, fail)
    with pytest.raises(LoadError, match="the disk is gone"):
        loader.load(ID)
    with pytest.raises(RuntimeError, match="closed"):
        given[0].predict({"x": np.zeros((1, 1), np.float32)})


def test_a_graph_with_other_tags_is_served_where_it_is_wanted(models, config):
    loader, model = loaded(models / "twins", config, tags=("other", "serve"))
    assert list(model.signatures) == ["other"]
    assert model.run("other", {"x": np.array([3.0], np.float32)})["y"].tolist() == [1.5]
    loader.unload()


def test_a_budget_of_a_gpus_memory_is_counted_against_it(models, config):
    wanted = config.model_copy(update={"gpu": GpuConfig(memory_budget=3 << 30)})
    loader = SavedModelLoader(models / "affine", wanted)
    estimate = loader.estimate_resources()
    assert estimate.quantities[Resource("gpu", 0, "ram")] == 3 << 30
    box = ResourceTracker(
        ResourceAllocation({Resource("main", 0, "ram"): 64 << 30, Resource("gpu", 0, "ram"): 4 << 30})
    )
    assert box.reserve(estimate)
    assert not box.reserve(estimate)


def test_settings_of_its_own_that_cannot_be_read_are_the_end_of_a_version(copy, config):
    folder = copy("affine")
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "saved_model_config.pb").write_bytes(b"\x0a\xff")
    with pytest.raises(LoadRefused, match="Unable to parse SavedModelConfig: ") as raised:
        SavedModelLoader(folder, config).load(ID)
    assert raised.value.code == 13


def test_sessions_with_threads_of_their_own_answer_the_same(models, config, expected):
    session = SessionConfig(intra_op=2, inter_op=2)
    loader, model = loaded(models / "classifier", config, session=session)
    np.testing.assert_allclose(model.predict({"image": expected["images"]})["scores"], expected["scores"], atol=1e-6)
    loader.unload()


@pytest.fixture
def preparing(models, tmp_path):
    return SavedModelLoader(models / "classifier", RuntimeConfig(cache=tmp_path / "cache"))


def load_in_background(loader):
    raised: list[Exception] = []

    def load():
        try:
            loader.load(ID)
        except LoadError as error:
            raised.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    limit = time.monotonic() + 30
    while loader._child is None and time.monotonic() < limit:
        threading.Event().wait(0.01)
    return thread, raised


def test_a_preparing_process_that_is_killed_is_an_error_and_no_waiting(preparing, tmp_path):
    thread, raised = load_in_background(preparing)
    subprocess.run(["kill", "-9", str(preparing._child.pid)], check=True)
    thread.join(10)
    assert not thread.is_alive()
    assert "was ended by signal 9 (Killed); it is tried again" in str(raised[0])


def test_cancelling_ends_a_load_that_prepares(preparing):
    thread, raised = load_in_background(preparing)
    preparing.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert "was cancelled" in str(raised[0])


def test_preparing_that_takes_too_long_leaves_the_model_as_it_was_exported(models, tmp_path, expected):
    config = RuntimeConfig(cache=tmp_path / "cache", prepare_timeout_s=0.2)
    loader = SavedModelLoader(models / "classifier", config)
    model = loader.load(ID)
    assert model.engine_reason == "tensorflow-saved-model: preparing failed: it took too long"
    np.testing.assert_allclose(model.predict({"image": expected["images"]})["scores"], expected["scores"], atol=1e-6)
    loader.unload()


def test_a_cache_that_cannot_be_written_leaves_the_model_as_it_was_exported(models, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    loader = SavedModelLoader(models / "affine", RuntimeConfig(cache=tmp_path / "cache"))
    model = loader.load(ID)
    assert "preparing failed" in model.engine_reason
    loader.unload()
