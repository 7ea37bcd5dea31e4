"""Writes the two models of the benchmark: `python export_models.py FOLDER`. Imports tensorflow."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])


class Trivial(tf.Module):
    def __init__(self):
        self.factor = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def serve(self, x):
        return {"y": self.factor * x + 2.0}


def cnn():
    """MobileNetV2 at 0.35, pixels 0 to 255 to ten classes; weights from a seed, statistics from noise."""
    keras.utils.set_random_seed(7)
    pixels = keras.Input((224, 224, 3), name="x")
    body = keras.applications.MobileNetV2((224, 224, 3), alpha=0.35, weights=None, classes=10)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass sets them
    body.layers[-1].kernel.assign(4 * body.layers[-1].kernel)  # so that the classes differ
    model = keras.Model(pixels, body(pixels / 127.5 - 1.0))
    model(np.random.default_rng(7).uniform(0, 255, (16, 224, 224, 3)).astype("float32"), training=True)
    return model


def save(name, x, call):
    np.savez(FOLDER / f"{name}.npz", x=x, y=np.asarray(call(x)))


def main():
    trivial = Trivial()
    tf.saved_model.save(trivial, str(FOLDER / "trivial" / "1"), signatures={"serving_default": trivial.serve})
    save("trivial", np.arange(4, dtype="float32").reshape(1, 4), lambda x: trivial.serve(x)["y"])
    inputs = keras.Input((4,))
    keras.Model(inputs, inputs * 0.5 + 2.0).save(FOLDER / "trivial.keras")
    model = cnn()
    archive = keras.export.ExportArchive()  # a tf.Module around it would save each variable under two names
    archive.track(model)
    signature = [tf.TensorSpec([None, 224, 224, 3], tf.float32, name="x")]
    archive.add_endpoint("serve", lambda x: {"y": model(x, training=False)}, input_signature=signature)
    archive.write_out(str(FOLDER / "cnn" / "1"), verbose=False)
    save("cnn", np.random.default_rng(3).integers(0, 256, (1, 224, 224, 3)).astype("float32"), model)
    model.save(FOLDER / "cnn.keras")


main()
