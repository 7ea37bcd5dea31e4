"""Adds golden samples to a version: pictures, and the scores that every engine on every box has to give for them."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import tensorflow as tf
from parts import GOOD, LABELS, Pictures, seen

from camera.conveyor import Scene

SEED: Final = 3000
_SEVERITY: Final = 0.9
_QUALITY: Final = 75
"""Of JPEG: five samples take less than 200 kB. As PNG they would take 900, for sensor noise cannot be compressed."""
_TOLERANCE: Final = 0.02
"""How far another engine's scores may lie from these."""
_CLEAR: Final = 0.8
"""A sample is one that the model is sure of: a limit sample would tell engines apart, not boxes that are broken."""
_TRIES: Final = 20


def add_golden(version: Path) -> None:
    """A part of each kind, cut and reduced, into assets.extra/golden. Raises: ValueError where the model errs."""
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    scene = Scene(SEED)
    folder = version / "assets.extra" / "golden"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    samples = []
    for label in LABELS:
        for index in range(_TRIES):
            frame, _ = scene.part(index, label, None if label == LABELS[GOOD] else _SEVERITY)
            stored = _store(folder / f"{label}.jpg", seen(frame))
            scores = signature(image=tf.constant(stored[None, :, :, None]))["scores"].numpy()[0]
            if scores[LABELS.index(label)] >= _CLEAR:
                break
        else:
            raise ValueError(f"the model is sure of no {label} among {_TRIES}; train it longer")
        rounded = [round(float(one), 5) for one in scores]
        samples.append({"file": f"{label}.jpg", "label": label, "scores": rounded, "tolerance": _TOLERANCE})
    text = json.dumps({"input": "image", "output": "scores", "samples": samples}, indent=1) + "\n"
    (folder / "samples.json").write_text(text, encoding="utf-8")


def _store(file: Path, picture: Pictures) -> Pictures:
    """Write it, and return what will be read."""
    cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=Path, help="the version's folder")
    add_golden(parser.parse_args().version)
