"""`appliance package`: from what training leaves behind to a folder that boxes take."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest
from publishing.conftest import INSPECTION, LABELS, package_arguments

from appliance.publishing.checkpoint import variables
from appliance.publishing.lint_weights import stored_twice
from appliance.publishing.packaging import ABOUT
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving.ids import ServableId


def test_a_keras_file_becomes_a_package_with_its_weights_once_and_with_golden_samples(
    made_package, tmp_path, appliance
):
    signature = describe(made_package).signatures["serving_default"]
    assert [(one.alias, one.dtype, one.shape) for one in signature.inputs.values()] == [
        ("image", "uint8", (None, 20, 30, 1))
    ]
    assert signature.outputs["scores"].shape == (None, 3)
    assert stored_twice(variables(made_package)) == 0
    assert (made_package / "variables/variables.data-00000-of-00001").stat().st_size < 600_000
    assert not (made_package / "assets").exists(), "an empty folder, which no transport keeps"
    assert json.loads((made_package / ABOUT).read_text()) == {"model": "surface", "version": 7, "made_from": "keras"}
    assert appliance("lint", made_package).out == f"{made_package}: nothing to remark.\n"
    said = json.loads((made_package / "assets.extra/golden/samples.json").read_text())
    assert [sample["label"] for sample in said["samples"]] == list(LABELS)
    loader = SavedModelLoader(made_package, RuntimeConfig(cache=tmp_path, engines=("tensorflow-saved-model",)))
    model = loader.load(ServableId("surface", 7))
    for sample in said["samples"]:
        picture = cv2.imread(str(made_package / "assets.extra/golden" / sample["file"]), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (20, 30), "cut and reduced as the model sees it"
        scores = model.predict({said["input"]: picture[None, :, :, None]})[said["output"]][0]
        assert scores == pytest.approx(sample["scores"], abs=1e-4)
        assert LABELS[int(np.argmax(scores))] == sample["label"]
    loader.unload()


def test_a_saved_model_is_packaged_as_it_is_with_scores_of_its_own(desk, made_package, tmp_path, appliance):
    source = Path(shutil.copytree(made_package, tmp_path / "exported"))
    shutil.rmtree(source / "assets.extra")
    (source / ".git").mkdir()
    (source / "notes.txt").write_text("stays where it is")
    said = appliance(*package_arguments(desk, tmp_path / "out", source=source))
    assert said.code == 0, said.err
    assert (tmp_path / "out/saved_model.pb").read_bytes() == (source / "saved_model.pb").read_bytes()
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "assets.extra",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    ]
    theirs, ours = (
        json.loads((folder / "assets.extra/golden/samples.json").read_text())["samples"]
        for folder in (made_package, tmp_path / "out")
    )
    for one, other in zip(theirs, ours, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)


def test_a_saved_model_s_own_inspection_json_and_finished_samples_go_with_it(demo, tmp_path, appliance):
    golden = tmp_path / "golden"
    shutil.copytree(demo / "assets.extra/golden", golden)
    out = tmp_path / "out"
    said = appliance("package", demo, "--out", out, "--model", "surface", "--version", 1, "--golden", golden)
    assert said.code == 0, said.err
    assert "1 warning" in said.out, "there is no card"
    assert (out / "assets.extra/golden/good.jpg").read_bytes() == (golden / "good.jpg").read_bytes()
    (golden / "good.jpg").unlink()
    said = appliance("package", demo, "--out", out, "--model", "a", "--version", 1, "--golden", golden, "--replace")
    assert said.code == 1
    assert said.sentence.startswith(f"appliance: {golden}/good.jpg cannot be read")
    assert json.loads((out / ABOUT).read_text())["model"] == "surface", "the earlier package is as it was"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["demo", "golden", "out"], "nothing is left beside it"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("net.h5", "model.save('model.keras')"),
        ("net.tflite", "package what it was converted from"),
        ("net.pt", "torch.onnx.export"),
        ("net.onnx", "onnx2tf"),
        ("weights.safetensors", "load them in your training script"),
        ("model.ckpt", "load them in your training script"),
        ("model.zip", "unpack it"),
        ("net.pkl", "pickle"),
        ("frozen.pb", "variables/"),
        ("model.xyz", "name a .keras file"),
    ],
)
def test_what_cannot_be_packaged_is_told_what_to_do(desk, tmp_path, appliance, name, remedy):
    (tmp_path / name).write_bytes(b"x")
    said = appliance(*package_arguments(desk, tmp_path / "out", source=tmp_path / name))
    assert said.code == 1
    assert remedy in said.sentence
    assert "cannot be packaged" in said.sentence
    assert not (tmp_path / "out").exists()


def test_folders_that_are_no_model_say_what_lies_near(desk, tmp_path, appliance, demo):
    base = tmp_path / "base"
    shutil.copytree(demo, base / "12")
    said = appliance(*package_arguments(desk, tmp_path / "out", source=base))
    assert said.sentence.endswith(f"holds numbered versions; name one of them, such as {base}/12.")
    said = appliance(*package_arguments(desk, tmp_path / "out", source=tmp_path / "nothing"))
    assert "is not there" in said.sentence
    (tmp_path / "run/export").mkdir(parents=True)
    shutil.copy(desk / "net.keras", tmp_path / "run/export")
    said = appliance(*package_arguments(desk, tmp_path / "out", source=tmp_path / "run"))
    assert said.sentence.endswith(f"is no model itself; name {tmp_path}/run/export/net.keras.")


MLMODEL = """artifact_path: model
flavors:
  python_function:
    data: data
    loader_module: mlflow.tensorflow
  {flavor}:
    code: null
    data: data
mlflow_version: 3.17.2
"""


def mlflow_folder(folder: Path, flavor: str = "tensorflow") -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL.format(flavor=flavor))
    return folder


def test_an_mlflow_folder_with_a_saved_model_in_it_is_packaged(demo, tmp_path, appliance):
    tracked = mlflow_folder(tmp_path / "tracked")
    shutil.move(demo, tracked / "data" / "model")
    said = appliance("package", tracked, "--out", tmp_path / "out", "--model", "surface", "--version", 2)
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "out" / ABOUT).read_text())["made_from"] == "mlflow"


@pytest.mark.parametrize(
    ("flavor", "file", "remedy"),
    [
        ("tensorflow", "model.h5", "data/model.h5: it is Keras' old format"),
        ("sklearn", "model.pkl", "flavor sklearn: boxes take neural networks"),
        ("pytorch", "model.pth", "flavor pytorch: write it as ONNX"),
        ("spacy", "model", "(flavors: python_function, spacy) without a SavedModel"),
    ],
)
def test_an_mlflow_model_of_another_kind_is_told_what_to_do(desk, tmp_path, appliance, flavor, file, remedy):
    tracked = mlflow_folder(tmp_path / "tracked", flavor)
    (tracked / "data" / file).write_bytes(b"x")
    said = appliance(*package_arguments(desk, tmp_path / "out", source=tracked))
    assert said.code == 1
    assert remedy in said.sentence


class Tracking:
    """As much of an MLflow server as hands out one registered model."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.cut = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                server.asked.append(url.path)
                query = {key: value[0] for key, value in parse_qs(url.query).items()}
                if url.path.endswith("registered-models/alias"):
                    found = {"model_version": {"version": "4"}} if query["alias"] == "champion" else None
                    self.json(found or {"error_code": "RESOURCE_DOES_NOT_EXIST"}, 200 if found else 404)
                elif url.path.endswith("model-versions/get-download-uri"):
                    self.json({"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"})
                elif url.path.endswith("mlflow-artifacts/artifacts"):
                    place = folder / query["path"].removeprefix("1/models/m-1/artifacts").strip("/")
                    self.json({"files": [entry(each) for each in sorted(place.iterdir())]})
                else:
                    content = (folder / url.path.partition("/m-1/artifacts/")[2]).read_bytes()
                    self.answer(content[: len(content) // 2] if server.cut else content)

            def json(self, value, status=200):
                self.answer(json.dumps(value).encode(), status)

            def answer(self, content, status=200):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        def entry(each: Path) -> dict:
            size = {} if each.is_dir() else {"file_size": each.stat().st_size}
            return {"path": each.name, "is_dir": each.is_dir(), **size}

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def tracking(tmp_path, demo):
    tracked = mlflow_folder(tmp_path / "server")
    shutil.move(demo, tracked / "data" / "model")
    server = Tracking(tracked)
    yield server
    server.stop()


def test_a_registered_model_is_fetched_over_rest_without_mlflow(tmp_path, appliance, tracking, monkeypatch):
    arguments = ["--model", "surface", "--version", 4]
    said = appliance(
        "package", "models:/surface@champion", "--out", tmp_path / "a", "--tracking", tracking.url, *arguments
    )
    assert said.code == 0, said.err
    assert (tmp_path / "a/saved_model.pb").read_bytes() == (tmp_path / "server/data/model/saved_model.pb").read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.url)
    said = appliance("package", "models:/surface@other", "--out", tmp_path / "b", *arguments)
    assert said.code == 1
    assert "surface@other: there is nothing of that name" in said.sentence
    tracking.cut = True
    said = appliance("package", "models:/surface/4", "--out", tmp_path / "b", *arguments)
    assert said.code == 1
    assert "on the server; try again" in said.sentence or "in the middle of an answer" in said.sentence
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    said = appliance("package", "models:/surface/4", "--out", tmp_path / "b", *arguments)
    assert "say which: --tracking" in said.sentence
    assert not (tmp_path / "b").exists()


def test_what_is_missing_is_said_before_anything_takes_long(desk, tmp_path, appliance):
    def refused(*more, source=None, inspection=None):
        given = {} if inspection is None else inspection
        (tmp_path / "inspection.json").write_text(json.dumps(given))
        base = [
            "package",
            source or desk / "net.keras",
            "--out",
            tmp_path / "out",
            "--model",
            "surface",
            "--version",
            7,
        ]
        said = appliance(*base, "--inspection", tmp_path / "inspection.json", *more)
        assert said.code == 1, said.out
        assert not (tmp_path / "out").exists()
        return said.sentence

    assert "names no labels" in refused()
    assert "'width'" in refused(inspection={"labels": ["a"], "input": {}})
    wrong = {**INSPECTION, "input": {**INSPECTION["input"], "resize": "nicely"}}
    assert "input.resize is 'nicely'" in refused(inspection=wrong)
    (tmp_path / "pictures/goood").mkdir(parents=True)
    assert "goood is named like none of the labels" in refused(
        "--golden-from", tmp_path / "pictures", inspection=INSPECTION
    )
    assert "card" in refused("--card", tmp_path / "none.md", inspection=INSPECTION)
    (tmp_path / "pictures/goood").rename(tmp_path / "pictures/good")
    (tmp_path / "pictures/good/a.png").write_bytes(b"no picture")
    assert "a.png is no picture" in refused("--golden-from", tmp_path / "pictures", inspection=INSPECTION)
    cv2.imwrite(str(tmp_path / "pictures/good/a.png"), np.zeros((9, 9), np.uint8))
    assert "reaches beyond the picture" in refused("--golden-from", tmp_path / "pictures", inspection=INSPECTION)


def test_a_folder_that_is_there_stays_unless_asked(desk, demo, tmp_path, appliance):
    said = appliance("package", demo, "--out", tmp_path, "--model", "surface", "--version", 1)
    assert "is there already; name another folder, or say --replace" in said.sentence
    said = appliance("package", demo, "--out", tmp_path, "--model", "surface", "--version", 1, "--replace")
    assert "holds something that is no package, and stays as it is" in said.sentence
    assert appliance("package", demo).code == 2


@pytest.mark.slow
def test_models_that_do_not_fit_are_told_so_by_keras_itself(desk, tmp_path, appliance):
    out = tmp_path / "out"
    said = appliance(*package_arguments(desk, out, source=desk / "logits.keras"))
    assert "have to be in 0..1; end the model with a softmax or a sigmoid" in said.sentence
    said = appliance(*package_arguments(desk, out, source=desk / "lambda.keras"))
    assert "code of its own (a Lambda layer)" in said.sentence
    other = {**INSPECTION, "input": {**INSPECTION["input"], "color": "RGB8"}}
    (tmp_path / "inspection.json").write_text(json.dumps(other))
    said = appliance(*package_arguments(desk, out), "--inspection", tmp_path / "inspection.json")
    assert "it takes 20 x 30 x 1 (height, width, channels), and inspection.json says 20 x 30 x 3" in said.sentence
    said = appliance(*package_arguments(desk, out), "--labels", "good,scratch")
    assert "dent is named like none of the labels" in said.sentence
    tracked = mlflow_folder(tmp_path / "tracked")
    shutil.copy(desk / "net.keras", tracked / "data" / "model.keras")
    said = appliance(*package_arguments(desk, out, source=tracked))
    assert said.code == 0, said.err
    assert json.loads((out / ABOUT).read_text())["made_from"] == "mlflow"
