"""Pits in a ball screw's surface: hard and realistic. The surface ages before it pits, so only late pictures count.

The photographs lie beside the checkout (shared/data/defects/ballscrew_pitting, CC BY-SA 4.0); nothing of them is
copied into the project.
"""

import sys
from pathlib import Path

from training import learning, windows

DATA = learning.DATA / "ballscrew_pitting"
SCENE = windows.Scene(size=(1130, 460), window_px=115, side_px=64, step_px=85)


def train(out: Path, *, fold: int = 0, folds: int = 4) -> learning.Trained:
    """Learn from three quarters of the places, less those that the limits are set on. Two minutes on two free cores."""
    return learning.learn_in_its_own_process(Path(__file__), out, split(fold, folds), str(fold), str(folds))


def split(fold: int, folds: int) -> learning.Split:
    """Early pictures are learnt from where their place is, and nothing is judged or set on them."""
    parted = learning.split(learning.read_cases(DATA), fold, folds=folds, calibration=0.25)
    late = [[case for case in side if case.row["phase"] == "late"] for side in parted[1:]]
    return learning.Split(parted.learnt, *late)


if __name__ == "__main__":
    windows.learn(
        Path(sys.argv[1]),
        SCENE,
        split(int(sys.argv[2]), int(sys.argv[3])),
        seed=int(sys.argv[2]),
        epochs=30,
        a_picture=24,
        filters=(16, 32, 48, 64),
    )
