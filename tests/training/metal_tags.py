"""Scratches on metal tags: few good ones, and many windows of which most are good.

The photographs lie beside the checkout (shared/data/defects/metal_tags); nothing of them is copied into the project.
"""

import sys
from pathlib import Path

from training import learning, windows

DATA = learning.DATA / "metal_tags"
SCENE = windows.Scene(size=(450, 300), window_px=90, side_px=64, step_px=60)


def train(out: Path, *, fold: int = 0, folds: int = 3) -> learning.Trained:
    """Learn from two thirds of the plates, less those that the limits are set on. A minute on two free cores."""
    return learning.learn_in_its_own_process(Path(__file__), out, split(fold, folds), str(fold), str(folds))


def split(fold: int, folds: int) -> learning.Split:
    """Of the plates that are not held out three tenths are for the limits."""
    return learning.split(learning.read_cases(DATA), fold, folds=folds, calibration=0.3)


if __name__ == "__main__":
    windows.learn(
        Path(sys.argv[1]),
        SCENE,
        split(int(sys.argv[2]), int(sys.argv[3])),
        seed=int(sys.argv[2]),
        epochs=12,
        a_picture=12,
        filters=(16, 32, 48, 64),
    )
