"""A presence check learnt from real photographs: four screws in a board, each there or missing, one model for all.

The photographs lie beside the checkout (shared/data/defects/screws); nothing of them is copied into the project.
What comes out is what a data scientist would hand over: Keras' own export, and an inspection.json that says what the
model wants to see.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

LABELS = ("present", "missing")
SIDE_PX = 64
"""Every region is shown to the model as a square of this size, in grey: some photographs were taken by daylight, and
a model that sees colours takes blue wood for metal."""
SHIFT_PX = 36
"""How far a region may lie from where it should, in the photograph's pixels, and still be learnt from."""
EPOCHS = 12
BATCH = 64
HELD_OUT = 0.4
INSPECTION = {
    "labels": list(LABELS),
    "good_label": "present",
    "output": "scores",
    "limits": {"good_min": 0.7, "per_class": {"missing": 0.5}},
}


class Part(NamedTuple):
    """One photograph and the truth about it."""

    path: Path
    label: str
    """pass or fail."""
    present: dict[str, bool]
    """Region: whether its screw is there."""


class Trained(NamedTuple):
    """A model, and the parts that it has never seen."""

    model_dir: Path
    """The version's folder, ready to be served: <out>/1."""
    held_out: list[Part]


def read_parts(data: Path) -> list[tuple[str, Part]]:
    """Each photograph with its group; a photograph without one is a group of its own."""
    names = json.loads((data / "regions.json").read_text())["order"]
    with (data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (
            row["group"] or row["path"],
            Part(
                data / row["path"],
                row["label"],
                {name: screw == "1" for name, screw in zip(names, row["screws"], strict=True)},
            ),
        )
        for row in rows
    ]


def read_regions(data: Path) -> dict[str, list[int]]:
    """Region: [x, y, width, height]."""
    boxes = json.loads((data / "regions.json").read_text())["boxes_xyxy"]
    return {name: [x, y, right - x, bottom - y] for name, (x, y, right, bottom) in boxes.items()}


def split(parts: list[tuple[str, Part]], seed: int) -> tuple[list[Part], list[Part]]:
    """Whole groups to one side or the other; both sides have good and bad parts."""
    rng = np.random.default_rng(seed)
    learnt: list[Part] = []
    held_out: list[Part] = []
    for label in ("pass", "fail"):
        groups = sorted({group for group, part in parts if part.label == label})
        away = set(rng.permutation(groups)[: round(len(groups) * HELD_OUT)])
        for group, part in parts:
            if part.label == label:
                (held_out if group in away else learnt).append(part)
    return learnt, held_out


def show(photograph, region, shift=(0, 0)):
    """(64, 64, 1): what the model sees of one region, exactly as the appliance will cut it when shift is zero."""
    x, y, width, height = region
    x = min(max(x + shift[0], 0), photograph.shape[1] - width)
    y = min(max(y + shift[1], 0), photograph.shape[0] - height)
    cut = photograph[y : y + height, x : x + width]
    small = cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)[:, :, np.newaxis]


def train(data: Path, out: Path, *, seed: int) -> Trained:
    """Learn from 60 photographs, in well under a minute on two cores. The same seed gives the same split.

    TensorFlow is imported in a process of its own: the caller may be one that has the appliance's runtimes in it.
    """
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    learner = subprocess.run(
        [sys.executable, __file__, str(data), str(out / "1"), str(seed)],
        check=False,
        capture_output=True,
        env=quiet,
        text=True,
        timeout=300,
    )
    assert learner.returncode == 0, learner.stderr
    return Trained(out / "1", split(read_parts(data), seed)[1])


def learn(data: Path, model_dir: Path, seed: int) -> None:
    """What train() does, in this process."""
    import keras

    keras.utils.set_random_seed(seed)
    regions = read_regions(data)
    learnt, _ = split(read_parts(data), seed)
    pictures, missing = _examples(learnt, regions, np.random.default_rng(seed))
    network = _network(keras)
    slower = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(pictures) // BATCH)
    network.compile(keras.optimizers.Adam(slower), keras.losses.CategoricalCrossentropy(label_smoothing=0.02))
    network.fit(pictures, np.eye(2)[missing], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    image = network.inputs[0]
    keras.Model({"image": image}, {"scores": network.output}).export(model_dir, verbose=False)
    extra = model_dir / "assets.extra"
    extra.mkdir()
    given = {"width": SIDE_PX, "height": SIDE_PX, "color": "MONO8", "dtype": "uint8", "resize": "area"}
    inspection = INSPECTION | {"input": {"regions": regions, **given, "scale": 1.0, "offset": 0.0}}
    (extra / "inspection.json").write_text(json.dumps(inspection, indent=1))


def _examples(parts: list[Part], regions: dict[str, list[int]], rng: np.random.Generator):
    """Every region as it is and twelve times mirrored, elsewhere and in another light; 1 where its screw is missing."""
    pictures, missing = [], []
    for part in parts:
        photograph = cv2.imread(str(part.path))
        for name, region in regions.items():
            for turn in range(13):
                shift = rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2) if turn else (0, 0)
                light = rng.uniform(0.6, 1.4) if turn else 1.0
                picture = show(photograph, region, shift) * light
                mirrored = picture[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))] if turn else picture
                pictures.append(np.clip(mirrored, 0, 255).astype(np.uint8))
                missing.append(int(not part.present[name]))
    return np.array(pictures), np.array(missing)


def _network(keras):
    """46,994 parameters; grey levels are scaled inside, so the appliance sends pixels as they are."""
    image = keras.Input((SIDE_PX, SIDE_PX, 1), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    for channels in (16, 32, 48, 64):
        x = keras.layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    scores = keras.layers.Dense(len(LABELS), activation="softmax")(x)
    return keras.Model(image, scores)


if __name__ == "__main__":
    learn(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
