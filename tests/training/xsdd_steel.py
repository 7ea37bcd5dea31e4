"""Which of seven defects it is: small pictures of hot-rolled strip. There are no good ones among them.

The photographs lie beside the checkout (shared/data/defects/xsdd_steel); nothing of them is copied into the project.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from training import learning

DATA = learning.DATA / "xsdd_steel"
LABELS = (
    "finishing_roll_printing",
    "iron_sheet_ash",
    "oxide_scale_plate",
    "oxide_scale_temperature",
    "red_iron",
    "slag_inclusion",
    "surface_scratch",
)
TOLERATED = "finishing_roll_printing"
"""No strip of the set is without a mark. A line that puts up with those of its own roll wants to know all others."""
SIDE_PX = 128
EPOCHS = 32
TURNS = 3
"""How often each picture is shown in an epoch, mirrored and in another light."""
INSPECTION = {
    "labels": list(LABELS),
    "good_label": TOLERATED,
    "output": "scores",
    "limits": {"good_min": 0.5, "per_class": {label: 0.5 for label in LABELS if label != TOLERATED}},
    "input": {"width": SIDE_PX, "height": SIDE_PX, "color": "MONO8", "dtype": "uint8", "resize": "area"},
}


def split(fold: int, folds: int) -> learning.Split:
    """A fold is held out; a tenth of the others is for the limits."""
    return learning.split(learning.read_cases(DATA), fold, folds=folds, calibration=0.1)


def train(out: Path, *, fold: int = 0, folds: int = 5) -> learning.Trained:
    """Learn from four fifths of the pictures, less what the limits are set on. Two minutes on two free cores."""
    parted = split(fold, folds)
    return learning.learn_in_its_own_process(Path(__file__), out, parted, str(fold), str(folds))


def learn(model_dir: Path, fold: int, folds: int) -> None:
    """What train() does, in this process."""
    import keras

    keras.utils.set_random_seed(fold)
    parted = split(fold, folds)
    shown = learning.shower(INSPECTION["input"])
    rng = np.random.default_rng(fold)
    pictures = [(shown(case.path)[0].copy(), LABELS.index(case.kind)) for case in parted.learnt]
    varied = [(_varied(picture, rng), kind) for picture, kind in pictures for _ in range(TURNS)]
    examples, truth = zip(*(pictures + varied), strict=True)
    model = learning.network(keras, (SIDE_PX, SIDE_PX, 1), len(LABELS))
    learning.fit(keras, model, np.array(examples), np.array(truth), epochs=EPOCHS)
    mirrored = _seen_from_all_sides(keras, model)
    learning.hand_over(keras, mirrored, model_dir, INSPECTION)
    learning.predict(mirrored, model_dir, INSPECTION, parted.calibration + parted.held_out)


def _seen_from_all_sides(keras, model):
    """The same, which looks four times: as it is and mirrored. The mean is right a little more often."""
    image = keras.Input((SIDE_PX, SIDE_PX, 1), dtype="uint8", name="image")
    views = [image, image[:, ::-1], image[:, :, ::-1], image[:, ::-1, ::-1]]
    return keras.Model(image, keras.layers.Average()([model(view) for view in views]))


def _varied(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    turned = picture[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))].astype(np.float32)
    shift = rng.uniform(-SIDE_PX / 8, SIDE_PX / 8, 2)
    moved = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    elsewhere = cv2.warpAffine(turned, moved, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REFLECT)
    light = elsewhere * rng.uniform(0.85, 1.15) + rng.uniform(-12, 12)
    return np.clip(light, 0, 255).astype(np.uint8)[:, :, np.newaxis]


if __name__ == "__main__":
    learn(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
