"""A small network that looks for defects everywhere, and scores a part by all that it found.

The trunk turns a picture into features of places, one place for every 20 x 20 pixels. The head says of each place
how much it looks like each defect, and of the whole how much it looks like a good part. One softmax over all of
these, summed by kind, gives the scores: they add up to 1, and a long scratch counts at every place that it crosses.
"""

from typing import Any, Final

import keras
import tensorflow as tf
from keras import layers
from parts import HEIGHT, LABELS, WIDTH

PLACE_PX: Final = 20
ROWS, COLUMNS = HEIGHT // PLACE_PX, -(-WIDTH // PLACE_PX)
"""The places of a whole picture."""
DEFECTS: Final = len(LABELS) - 1
_FEW: Final = -5.0
"""Defects are rare: where the head begins to learn."""


def make_trunk() -> keras.Model:
    """(n, height, width, 1) uint8 -> (n, height / 20, width / 20, 48); for pictures of any size."""
    image = keras.Input((None, None, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 64, offset=-2)(image)
    x = _convolution(x, 32, size=5, stride=5)
    x = _convolution(x, 32, size=2, stride=2)
    x = _convolution(x, 48, size=3, stride=2)
    for _ in range(2):  # wide and cheap: a hole that was never drilled is known by the corner around it
        x = _normal(layers.DepthwiseConv2D(5, padding="same", use_bias=False)(x))
        x = _convolution(x, 48, size=1, stride=1)
    return keras.Model(image, x, name="trunk")


def make_head(rows: int, columns: int) -> keras.Model:
    """Features of rows x columns places -> evidence (n, 1 + places x DEFECTS): good first, then place by place."""
    features = keras.Input((rows, columns, 48), name="features")
    good = layers.Dense(1, kernel_initializer="zeros", name="good")(layers.GlobalAveragePooling2D()(features))
    few = keras.initializers.Constant(_FEW)
    places = layers.Conv2D(DEFECTS, 1, bias_initializer=few, name="defects")(features)
    evidence = layers.Concatenate()([good, keras.ops.reshape(places, (-1, rows * columns * DEFECTS))])
    return keras.Model(features, evidence, name="head")


def scores_of(evidence: tf.Tensor) -> tf.Tensor:
    """(n, len(LABELS)) from the head's evidence."""
    shares = tf.nn.softmax(evidence)
    by_kind = tf.reduce_sum(tf.reshape(shares[:, 1:], (-1, ROWS * COLUMNS, DEFECTS)), axis=1)
    return tf.concat([shares[:, :1], by_kind], axis=1)


def loss_of(evidence: tf.Tensor, wanted: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """How surprised the network is, on average.

    `wanted` is (n, len(LABELS)), adding up to 1: what is on the picture. `where` is (n, places), 1 where the defect
    is: evidence for the right kind in the wrong place does not count as right.
    """
    places = tf.reshape(evidence[:, 1:], (tf.shape(evidence)[0], -1, DEFECTS))
    here = tf.where(where[:, :, None] > 0, places, -1e9)
    by_kind = tf.concat([evidence[:, :1], tf.reduce_logsumexp(here, axis=1)], axis=1)
    surprise = tf.reduce_logsumexp(evidence, axis=1, keepdims=True) - by_kind
    return tf.reduce_mean(tf.reduce_sum(wanted * surprise, axis=1))


def _convolution(x: Any, channels: int, size: int, stride: int) -> Any:
    padding = "valid" if size == stride else "same"
    return layers.ReLU()(_normal(layers.Conv2D(channels, size, stride, padding=padding, use_bias=False)(x)))


def _normal(x: Any) -> Any:
    return layers.BatchNormalization(momentum=0.95)(x)
