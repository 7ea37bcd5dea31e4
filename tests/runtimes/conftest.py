"""SavedModels written by a process of its own, so that these tests never import tensorflow."""

from pathlib import Path

import numpy as np
import pytest
from exporting import export

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.opening import open_model
from appliance.runtimes.prepared import Prepared

PLAIN = Prepared(source_digest="sha256:of-a-test", engine="tensorflow-saved-model", engine_reason="a test's")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folder of SavedModels that make_models.py writes."""
    return export(Path(__file__).with_name("make_models.py"), tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def shared():
    """TensorFlow Serving's own test models, where they lie beside the checkout; they are no part of it."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there, so TensorFlow Serving's test models are not tried")
    return folder


@pytest.fixture(scope="session")
def expected(models):
    """Five images and what the classifier says of them, computed by TensorFlow itself."""
    with np.load(models / "expected.npz") as archive:
        return {"images": archive["images"], "scores": archive["scores"]}


@pytest.fixture
def config(tmp_path):
    return RuntimeConfig(cache=tmp_path / "cache", engines=("tensorflow-saved-model",))


@pytest.fixture
def opened(models, config):
    """Open a model of `models` as it was exported; closed afterwards."""
    held = []

    def open_one(name):
        held.append(open_model(models / name, describe(models / name), PLAIN, None, config))
        return held[-1]

    yield open_one
    for model in held:
        model.close()
