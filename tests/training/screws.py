"""A presence check learnt from real photographs: four screws in a board, each there or missing, one model for all.

The photographs lie beside the checkout (shared/data/defects/screws); nothing of them is copied into the project.
What comes out is what a data scientist would hand over: Keras' own export, and an inspection.json that says what the
model wants to see.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from training import learning

DATA = learning.DATA / "screws"
LABELS = ("present", "missing")
SIDE_PX = 64
"""Every region is shown to the model as a square of this size, in grey: some photographs were taken by daylight, and
a model that sees colours takes blue wood for metal."""
SHIFT_PX = 36
"""How far a region may lie from where it should, in the photograph's pixels, and still be learnt from."""
EPOCHS = 12
FOLDS = 5
KEPT = Path(__file__).parent / "kept"


def read_regions() -> dict[str, list[int]]:
    """Region: [x, y, width, height]."""
    boxes = json.loads((DATA / "regions.json").read_text())["boxes_xyxy"]
    return {name: [x, y, right - x, bottom - y] for name, (x, y, right, bottom) in boxes.items()}


def present(case: learning.Case) -> dict[str, bool]:
    """Region: whether its screw is there."""
    names = json.loads((DATA / "regions.json").read_text())["order"]
    return {name: screw == "1" for name, screw in zip(names, case.row["screws"], strict=True)}


def split(fold: int, folds: int = FOLDS) -> learning.Split:
    """A fifth is held out; of the others a third is for the limits."""
    return learning.split(learning.read_cases(DATA), fold, folds=folds, calibration=0.34)


def inspection() -> dict:
    """What the model says of itself; its limits are a first guess, each station calibrates its own."""
    given = {"width": SIDE_PX, "height": SIDE_PX, "color": "MONO8", "dtype": "uint8", "resize": "area"}
    return {
        "labels": list(LABELS),
        "good_label": "present",
        "output": "scores",
        "limits": {"good_min": 0.7, "per_class": {"missing": 0.5}},
        "input": {"regions": read_regions(), **given, "scale": 1.0, "offset": 0.0},
    }


def train(out: Path, *, fold: int = 0, folds: int = FOLDS) -> learning.Trained:
    """Learn from half of the photographs, in well under a minute on two cores."""
    return learning.learn_in_its_own_process(Path(__file__), out, split(fold, folds), str(fold), str(folds))


def learn(model_dir: Path, fold: int, folds: int) -> None:
    """What train() does, in this process."""
    import keras

    keras.utils.set_random_seed(fold)
    parted = split(fold, folds)
    pictures, missing = _examples(parted.learnt, np.random.default_rng(fold))
    model = learning.network(keras, (SIDE_PX, SIDE_PX, 1), len(LABELS))
    learning.fit(keras, model, pictures, missing, epochs=EPOCHS)
    learning.hand_over(keras, model, model_dir, inspection())
    learning.predict(model, model_dir, inspection(), parted.calibration + parted.held_out)


def by_region(cases: list[learning.Case], predictions: dict[str, list[list[float]]]) -> tuple[list[float], list[float]]:
    """The scores for `missing` of regions whose screw is there, and of those whose is not."""
    there: list[float] = []
    gone: list[float] = []
    for case in cases:
        for is_there, scores in zip(present(case).values(), predictions[case.path.name], strict=True):
            (there if is_there else gone).append(scores[1])
    return there, gone


def _examples(cases: list[learning.Case], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Every region as it is and twelve times mirrored, elsewhere and in another light; 1 where its screw is missing."""
    pictures, missing = [], []
    for case in cases:
        photograph = cv2.imread(str(case.path))
        for (name, region), turn in ((one, turn) for one in read_regions().items() for turn in range(13)):
            shift = rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2) if turn else (0, 0)
            light = rng.uniform(0.6, 1.4) if turn else 1.0
            picture = _show(photograph, region, shift) * light
            mirrored = picture[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))] if turn else picture
            pictures.append(np.clip(mirrored, 0, 255).astype(np.uint8))
            missing.append(int(not present(case)[name]))
    return np.array(pictures), np.array(missing)


def _show(photograph, region, shift):
    """(64, 64, 1): what the model sees of one region."""
    x, y, width, height = region
    x = min(max(x + shift[0], 0), photograph.shape[1] - width)
    y = min(max(y + shift[1], 0), photograph.shape[0] - height)
    small = cv2.resize(photograph[y : y + height, x : x + width], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)[:, :, np.newaxis]


def kept() -> learning.Trained:
    """The model of fold 0 as it was trained once: for tests that cannot wait. See kept/README.md."""
    predictions = json.loads((KEPT / learning.PREDICTIONS).read_text())
    return learning.Trained(KEPT / "1", split(0), predictions)


if __name__ == "__main__":
    learn(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
