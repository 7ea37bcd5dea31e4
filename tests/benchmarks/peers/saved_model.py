"""How the rivals call the model: as TensorFlow's guide says. Runs in their environments: keep it to tensorflow."""

import os
from collections.abc import Callable

import numpy as np


def signature_call(folder: str) -> Callable[[np.ndarray], np.ndarray]:
    """The usual way: load, take the signature, call it."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]

    def call(x: np.ndarray, _keep: object = loaded) -> np.ndarray:
        return signature(x=tf.constant(x))["y"].numpy()

    return call


def keras_call(file: str) -> Callable[[np.ndarray], np.ndarray]:
    """What many a tutorial shows."""
    import keras

    model = keras.models.load_model(file)
    return lambda x: np.asarray(model(x, training=False))


def shape() -> tuple[int, ...]:
    """Of the input, as the benchmark says."""
    return tuple(int(size) for size in os.environ["BENCH_SHAPE"].split(","))
