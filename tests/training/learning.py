"""What every training of the tests has in common: whole groups on one side, a small network, a hand-over as in life.

A training runs in a process of its own, because the test's process may have the appliance's runtimes in it. It leaves
what a data scientist would hand over, Keras' own export with an inspection.json, and beside it predictions.json: what
the trained network says, in the training's process, of every picture that it has not learnt from.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY.parent / "shared" / "data" / "defects"
PREDICTIONS = "predictions.json"
_LIMIT_S = 900


class Case(NamedTuple):
    """One picture and the truth about it."""

    path: Path
    label: str
    """pass or fail."""
    kind: str
    """The class of its defect; empty for a good one."""
    group: str
    """Pictures of one part, plate or place: never on two sides of a split."""
    row: Mapping[str, str]
    """All that the manifest says."""


class Split(NamedTuple):
    """Three sides that share no group."""

    learnt: list[Case]
    calibration: list[Case]
    """What the limits are set on."""
    held_out: list[Case]
    """What nothing was set on."""


class Trained(NamedTuple):
    """A model, and the pictures that it has never seen."""

    model_dir: Path
    """The version's folder, ready to be served: <out>/1."""
    split: Split
    predictions: dict[str, list[list[float]]]
    """Name of a picture that was not learnt from: scores, (regions, labels), by the training's own process."""


def read_cases(data: Path) -> list[Case]:
    """Each picture of a set; one without a group is a group of its own, with its copies."""
    with (data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Case(data / row["path"], row["label"], row["defect_class"], row["group"] or row["sha256"], row) for row in rows
    ]


def split(cases: Sequence[Case], fold: int, *, folds: int = 5, calibration: float = 0.33) -> Split:
    """Every group is held out in one of the folds; of the others a share is for the limits. The same at every call."""
    rng = np.random.default_rng(folds)
    sides: dict[str, int] = {}
    for kind in sorted({case.kind for case in cases}):
        groups = sorted({case.group for case in cases if case.kind == kind} - sides.keys())
        for place, group in enumerate(rng.permutation(groups)):
            sides[str(group)] = place % folds
    again = np.random.default_rng(1000 + fold)
    limits: set[str] = set()
    for kind in sorted({case.kind for case in cases}):
        groups = sorted({case.group for case in cases if case.kind == kind and sides[case.group] != fold})
        limits |= set(again.permutation(groups)[: round(len(groups) * calibration)])
    held_out = [case for case in cases if sides[case.group] == fold]
    others = [case for case in cases if sides[case.group] != fold]
    return Split(
        [case for case in others if case.group not in limits],
        [case for case in others if case.group in limits],
        held_out,
    )


def learn_in_its_own_process(script: Path, out: Path, parted: Split, *arguments: str) -> Trained:
    """Run `script <out>/1 arguments`, politely: two cores of a shared machine."""
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/tests",
    }
    learner = subprocess.run(
        ["nice", "-n", "10", sys.executable, str(script), str(out / "1"), *arguments],
        check=False,
        capture_output=True,
        env=os.environ | quiet,
        text=True,
        timeout=_LIMIT_S,
    )
    assert learner.returncode == 0, learner.stderr
    return Trained(out / "1", parted, json.loads((out / PREDICTIONS).read_text()))


def network(keras: Any, shape: tuple[int, int, int], labels: int, filters: Iterable[int] = (16, 32, 48, 64)) -> Any:
    """Some 47,000 parameters; grey levels are scaled inside, so the appliance sends pixels as they are."""
    image = keras.Input(shape, dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    for channels in filters:
        x = keras.layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, keras.layers.Dense(labels, activation="softmax")(x))


def fit(keras: Any, model: Any, pictures: np.ndarray, truth: np.ndarray, *, epochs: int, rate: float = 3e-3) -> None:
    """Adam with a falling rate. `truth`: the class's number, (pictures,)."""
    batch = 64
    slower = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(pictures) // batch))
    model.compile(keras.optimizers.Adam(slower), keras.losses.CategoricalCrossentropy(label_smoothing=0.02))
    model.fit(pictures, np.eye(model.output_shape[-1])[truth], batch_size=batch, epochs=epochs, verbose=0)


def hand_over(keras: Any, model: Any, model_dir: Path, inspection: Mapping[str, Any]) -> None:
    """The export, with what the model wants to see."""
    keras.Model({"image": model.inputs[0]}, {"scores": model.output}).export(model_dir, verbose=False)
    extra = model_dir / "assets.extra"
    extra.mkdir()
    (extra / "inspection.json").write_text(json.dumps(inspection, indent=1))


def predict(model: Any, model_dir: Path, inspection: Mapping[str, Any], cases: Iterable[Case]) -> None:
    """Write what the network says here, of pictures cut and resized by the very code of the appliance."""
    shown = shower(inspection["input"])
    found = {case.path.name: model(shown(case.path), training=False).numpy().tolist() for case in cases}
    (model_dir.parent / PREDICTIONS).write_text(json.dumps(found))


def shower(wanted: Mapping[str, Any]) -> Callable[[Path], np.ndarray]:
    """What gives the model's input, (regions, height, width, channels), of a picture's file."""
    from appliance.inspection.preprocess import InputSpec, Preprocessor
    from camera.frame import Frame
    from camera.pictures import decode

    preprocessor = Preprocessor(InputSpec.from_metadata(wanted))

    def show(path: Path) -> np.ndarray:
        pixels, pixel_format = decode(path.read_bytes())
        return preprocessor.apply(Frame(pixels, pixel_format, sequence=0, epoch=1, exposed_ns=0, exposed_utc_ns=0))

    return show


def area_under_curve(good: Sequence[float], bad: Sequence[float]) -> float:
    """The chance that a bad one's score lies above a good one's; a tie counts half."""
    above = np.asarray(bad)[:, None] - np.asarray(good)[None]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))
