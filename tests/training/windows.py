"""Small defects in large pictures: one network looks at overlapping windows, and learns from boxes that people drew.

The windows are the appliance's tiles: all go through the network in one batch, and the part is what its worst window
is.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from training import learning

LABELS = ("good", "defect")
Box = tuple[int, int, int, int]


class Scene(NamedTuple):
    """How a picture is cut."""

    size: tuple[int, int]
    """Of the picture: width, height."""
    window_px: int
    """Side of a window, in the picture's pixels."""
    side_px: int
    """Side of what the network sees."""
    step_px: int
    """From window to window, at most."""


def windows(scene: Scene) -> list[Sequence[int]]:
    """[x, y, width, height] of each row of the batch, as the appliance cuts them."""
    from appliance.inspection.preprocess import InputSpec

    return [window.rectangle or (0, 0, *scene.size) for window in InputSpec.from_metadata(seen(scene)).windows()]


def seen(scene: Scene) -> dict[str, Any]:
    """What the model wants to see: tiles of the picture, none of them shrunk much."""
    side = scene.window_px
    return {
        "roi": [0, 0, *scene.size],
        "tiles": {"width": side, "height": side, "overlap": side - scene.step_px},
        "width": scene.side_px,
        "height": scene.side_px,
        "color": "MONO8",
        "dtype": "uint8",
        "resize": "area",
    }


def boxes(case: learning.Case) -> list[Box]:
    """Where people saw defects, [x, y, width, height]."""
    return [tuple(box) for box in json.loads(case.row["boxes_xywh"] or "[]")]


def is_bad(window: Sequence[int], found: Sequence[Box]) -> bool | None:
    """Whether the window shows a defect; None where it shows so little of one that nobody could say."""
    shares = [_common(window, box) / min(window[2] * window[3], box[2] * box[3]) for box in found]
    if any(share >= 0.35 for share in shares):
        return True
    return None if any(share > 0 for share in shares) else False


def inspection(scene: Scene) -> dict[str, Any]:
    """What the model says of itself."""
    return {
        "labels": list(LABELS),
        "good_label": LABELS[0],
        "output": "scores",
        "limits": {"good_min": 0.5, "per_class": {LABELS[1]: 0.5}},
        "input": seen(scene),
    }


def learn(
    model_dir: Path, scene: Scene, parted: learning.Split, *, seed: int, epochs: int, a_picture: int, filters: Any
) -> None:
    """`a_picture`: windows of each kind that are taken from a picture."""
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    examples, truth = [], []
    for case in parted.learnt:
        picture = cv2.imread(str(case.path), cv2.IMREAD_GRAYSCALE)
        for window, bad in _some(scene, boxes(case), a_picture, rng):
            examples.append(_shown(picture, window, scene, rng))
            truth.append(int(bad))
    model = learning.network(keras, (scene.side_px, scene.side_px, 1), len(LABELS), filters)
    learning.fit(keras, model, np.array(examples), np.array(truth), epochs=epochs)
    learning.hand_over(keras, model, model_dir, inspection(scene))
    learning.predict(model, model_dir, inspection(scene), parted.calibration + parted.held_out)


def by_window(
    scene: Scene, cases: Sequence[learning.Case], predictions: Mapping[str, list[list[float]]]
) -> tuple[list[float], list[float]]:
    """The defect scores of good and of bad windows; those of which nobody could say are left out."""
    good: list[float] = []
    bad: list[float] = []
    for case in cases:
        for window, scores in zip(windows(scene), predictions[case.path.name], strict=True):
            truth = is_bad(window, boxes(case))
            if truth is not None:
                (bad if truth else good).append(scores[1])
    return good, bad


def _some(scene: Scene, found: Sequence[Box], a_picture: int, rng: np.random.Generator):
    """Windows around the defects, and windows away from them."""
    side = scene.window_px
    width, height = scene.size
    bad = good = 0
    for _ in range(40 * a_picture):
        if bad < a_picture and found and rng.random() < 0.5:
            x, y, w, h = found[rng.integers(len(found))]
            middle = (x + rng.uniform(0, w) - side / 2, y + rng.uniform(0, h) - side / 2)
        else:
            middle = (rng.uniform(0, width - side), rng.uniform(0, height - side))
        window = [int(np.clip(middle[0], 0, width - side)), int(np.clip(middle[1], 0, height - side)), side, side]
        truth = is_bad(window, found)
        if truth is True and bad < a_picture:
            bad += 1
            yield window, True
        if truth is False and good < a_picture:
            good += 1
            yield window, False


def _shown(picture: np.ndarray, window: Sequence[int], scene: Scene, rng: np.random.Generator) -> np.ndarray:
    x, y, width, height = window
    cut = picture[y : y + height, x : x + width]
    small = cv2.resize(cut, (scene.side_px, scene.side_px), interpolation=cv2.INTER_AREA)
    mirrored = small[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    light = mirrored.astype(np.float32) * rng.uniform(0.8, 1.2) + rng.uniform(-15, 15)
    return np.clip(light, 0, 255).astype(np.uint8)[:, :, np.newaxis]


def _common(window: Sequence[int], box: Sequence[int]) -> int:
    width = min(window[0] + window[2], box[0] + box[2]) - max(window[0], box[0])
    height = min(window[1] + window[3], box[1] + box[3]) - max(window[1], box[1])
    return max(width, 0) * max(height, 0)
