"""Adds golden samples to a version: pictures, and the scores that every engine on every box has to give for them."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import tensorflow as tf
from parts import GOOD, HEIGHT, LABELS, WIDTH, Pictures, seen

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
_CROP: Final = (195, 150)
"""Width and height of the sample that is brought to the model's size on the box, and so proves how that is done."""
_CROP_LABEL: Final = "missing_hole"
_TELLING: Final = 0.1
"""At least so much would its scores change if `linear` were taken for `area`."""


def add_golden(version: Path) -> None:
    """A part of each kind, cut and reduced, and one that the box reduces itself, into assets.extra/golden.

    Raises: ValueError where the model errs.
    """
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
        samples.append(_sample(f"{label}.jpg", label, scores))
    samples.append(_crop(signature, folder))
    text = json.dumps({"input": "image", "output": "scores", "samples": samples}, indent=1) + "\n"
    (folder / "samples.json").write_text(text, encoding="utf-8")


def _crop(signature: Any, folder: Path) -> dict[str, Any]:
    """A part as a small camera might show it: what is stored has yet to be brought to the model's size."""
    for index in range(_TRIES * 10):
        small = cv2.resize(seen(Scene(SEED + index).part(0, _CROP_LABEL, 1.0)[0]), _CROP, interpolation=cv2.INTER_AREA)
        scores, otherwise = (
            signature(image=tf.constant(cv2.resize(small, (WIDTH, HEIGHT), interpolation=method)[None, :, :, None]))[
                "scores"
            ][0]
            for method in (cv2.INTER_AREA, cv2.INTER_LINEAR)
        )
        if scores[LABELS.index(_CROP_LABEL)] >= _CLEAR and np.abs(scores - otherwise).max() >= _TELLING:
            file = f"crop-{_CROP_LABEL}.png"
            cv2.imwrite(str(folder / file), small)
            return {**_sample(file, _CROP_LABEL, scores.numpy()), "crop": True}
    raise ValueError(f"no small picture of a {_CROP_LABEL} tells the ways of resizing apart")


def _sample(file: str, label: str, scores: Any) -> dict[str, Any]:
    rounded = [round(float(one), 5) for one in scores]
    return {"file": file, "label": label, "scores": rounded, "tolerance": _TOLERANCE}


def _store(file: Path, picture: Pictures) -> Pictures:
    """Write it, and return what will be read."""
    cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=Path, help="the version's folder")
    add_golden(parser.parse_args().version)
