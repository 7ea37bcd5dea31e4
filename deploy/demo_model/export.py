"""Writes the SavedModel: weights once, served by any loader, converted without special operations."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import tensorflow as tf
from network import scores_of
from parts import GOOD, HEIGHT, LABELS, ROI, WIDTH

_IMAGE: Final = tf.TensorSpec([None, HEIGHT, WIDTH, 1], tf.uint8, name="image")


class Served(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """Trunk, head and scores in one call."""

    def __init__(self, trunk: keras.Model, head: keras.Model) -> None:
        super().__init__()
        # Only TensorFlow's variables and a function that uses them: a module that holds Keras' own objects is saved
        # with a second copy of every weight, as keras.Model.export() does, or cannot be loaded by a session at all.
        self.weights = [weight.value for weight in (*trunk.weights, *head.weights)]
        self._score: Callable[[Any], Any] = lambda image: scores_of(head(trunk(image, training=False)))

    @tf.function(input_signature=[_IMAGE], autograph=False)  # type: ignore[untyped-decorator]  # nor has this
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Pixels as the camera gives them, cut and reduced; scores in the order of LABELS."""
        return {"scores": self._score(image)}


def write_model(out: Path, trunk: keras.Model, head: keras.Model, limits: dict[str, Any], card: dict[str, Any]) -> None:
    """Write the version's folder, replacing it as a whole."""
    fresh = out.with_name(f".{out.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    served = Served(trunk, head)
    tf.saved_model.save(served, str(fresh), signatures={"serving_default": served.serve})
    (fresh / "assets").rmdir()  # empty; neither git nor a wheel would keep it
    extra = fresh / "assets.extra"
    extra.mkdir()
    text = json.dumps(inspection(limits, card), indent=1) + "\n"
    (extra / "inspection.json").write_text(text, encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)


def inspection(limits: dict[str, Any], card: dict[str, Any]) -> dict[str, Any]:
    """What the appliance has to know of the model."""
    return {
        "labels": list(LABELS),
        "good_label": LABELS[GOOD],
        "input": {
            "roi": list(ROI),
            "width": WIDTH,
            "height": HEIGHT,
            "color": "MONO8",
            "dtype": "uint8",
            "resize": "area",
            "scale": 1.0,
            "offset": 0.0,
        },
        "output": "scores",
        "limits": limits,
        "card": card,
    }
