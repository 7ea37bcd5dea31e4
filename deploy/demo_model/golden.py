"""Adds golden samples to a version: pictures, and the scores that every engine on every box has to give for them."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import tensorflow as tf
from parts import GOOD, LABELS, seen

from camera.conveyor import Scene

SEED: Final = 3000
_SEVERITY: Final = 0.9
_QUALITY: Final = 75
"""Of JPEG: five samples take less than 200 kB. As PNG they would take 900, for sensor noise cannot be compressed."""
_TOLERANCE: Final = 0.02
"""How far another engine's scores may lie from these."""


def add_golden(version: Path) -> None:
    """A part of each kind, cut and reduced, into assets.extra/golden. Raises: ValueError where the model errs."""
    score = tf.saved_model.load(str(version)).signatures["serving_default"]
    folder = version / "assets.extra" / "golden"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    samples = []
    for index, label in enumerate(LABELS):
        frame, _ = Scene(SEED).part(index, label, None if label == LABELS[GOOD] else _SEVERITY)
        file = folder / f"{label}.jpg"
        cv2.imwrite(str(file), seen(frame), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        stored = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
        scores = score(image=tf.constant(stored[None, :, :, None]))["scores"].numpy()[0]
        if LABELS[int(scores.argmax())] != label:
            raise ValueError(f"the golden sample {label} is judged {LABELS[int(scores.argmax())]}")
        rounded = [round(float(one), 5) for one in scores]
        samples.append({"file": file.name, "label": label, "scores": rounded, "tolerance": _TOLERANCE})
    text = json.dumps({"input": "image", "output": "scores", "samples": samples}, indent=1) + "\n"
    (folder / "samples.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=Path, help="the version's folder")
    add_golden(parser.parse_args().version)
