"""Writes the SavedModels that these tests load: `python make_models.py FOLDER`. Imports tensorflow."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.lite import TFLiteSavedModelConverterV2

from appliance.runtimes.prepare.freezing import NotFreezable, freeze

FOLDER = Path(sys.argv[1])


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


class Affine(tf.Module):
    def __init__(self):
        self.factor = tf.Variable(0.5, name="factor")

    @tf.function(input_signature=[spec([None, 1], tf.float32, "x")])
    def serve(self, x):
        return {"y": self.factor * x + 2.0}


class Classifier(tf.Module):
    """A convolution, a normalisation, a softmax: weights from a seed, so that classes differ clearly."""

    def __init__(self):
        generator = np.random.default_rng(7)
        self.kernel = tf.Variable(generator.normal(0, 1, (3, 3, 1, 8)).astype("float32"), name="kernel")
        self.mean = tf.Variable(generator.normal(0, 0.2, 8).astype("float32"), name="mean")
        self.scale = tf.Variable(generator.uniform(0.5, 2, 8).astype("float32"), name="scale")
        self.dense = tf.Variable(generator.normal(0, 1, (8, 3)).astype("float32"), name="dense")

    def scores(self, image):
        x = tf.nn.conv2d(tf.cast(image, tf.float32) / 255.0, self.kernel, 2, "SAME")
        x = tf.nn.relu((x - self.mean) * tf.math.rsqrt(self.scale + 1e-3))
        return tf.nn.softmax(tf.reduce_mean(x, [1, 2]) @ self.dense)

    @tf.function(input_signature=[spec([None, 32, 32, 1], tf.uint8, "image")])
    def serve(self, image):
        return {"scores": self.scores(image)}

    @tf.function(input_signature=[spec([None, 32, 32, 1], tf.uint8, "image")])
    def best(self, image):
        return {"best": tf.argmax(self.scores(image), -1)}


class Table(tf.Module):
    def __init__(self):
        keys = tf.constant([0, 1, 2], tf.int64)
        content = tf.lookup.KeyValueTensorInitializer(keys, tf.constant([10.0, 20.0, 30.0]))
        self.table = tf.lookup.StaticHashTable(content, -1.0)

    @tf.function(input_signature=[spec([None], tf.int64, "index")])
    def serve(self, index):
        return {"value": self.table.lookup(index)}


class Counter(tf.Module):
    def __init__(self):
        self.count = tf.Variable(0.0, name="count")

    @tf.function(input_signature=[spec([], tf.float32, "delta")])
    def serve(self, delta):
        return {"count": self.count.assign_add(delta)}


class Keeper(tf.Module):
    """Answers with what it was given the time before; the variable may share the input's memory."""

    def __init__(self):
        self.kept = tf.Variable(tf.zeros([64]), name="kept")

    @tf.function(input_signature=[spec([64], tf.float32, "x")])
    def serve(self, x):
        before = tf.identity(self.kept) + 0.0
        with tf.control_dependencies([before]):
            self.kept.assign(x)
        return {"before": before}


class Text(tf.Module):
    @tf.function(input_signature=[spec([None], tf.string, "text"), spec([None], tf.bool, "shout")])
    def serve(self, text, shout):
        return {"text": tf.where(shout, tf.strings.upper(text), text), "long": tf.strings.length(text) > 3}


class Random(tf.Module):
    @tf.function(input_signature=[spec([None, 1], tf.float32, "x")])
    def serve(self, x):
        return {"y": x + tf.random.uniform([1])}


class Wide(tf.Module):
    """Two inputs, and an output too large for the short way back."""

    @tf.function(input_signature=[spec([None, 64, 64, 3], tf.float32, "a"), spec([None, 64, 64, 3], tf.float32, "b")])
    def serve(self, a, b):
        return {"sum": a + b, "product": a * b}


class HoldsKeras(tf.Module):
    """Runs where Python loads it; no session finds its variables, since each is saved under two names."""

    def __init__(self):
        image = keras.Input((4,))
        self.model = keras.Model(image, keras.layers.Dense(3)(image))

    @tf.function(input_signature=[spec([None, 4], tf.float32, "x")])
    def serve(self, x):
        return {"y": self.model(x)}


class Failing(tf.Module):
    """Loads, and fails whenever it runs."""

    @tf.function(input_signature=[spec([None, 1], tf.float32, "x")])
    def serve(self, x):
        with tf.control_dependencies([tf.debugging.Assert(tf.constant(False), ["never"])]):
            return {"y": tf.identity(x)}


def freezing(name):
    """What freeze() makes of a model: the reason why not, or the operations of the graph."""
    keys = ["serving_default", "best", "same"] if name == "classifier" else ["serving_default"]
    try:
        frozen = freeze(FOLDER / name, ["serve"], keys, optimise=True)
    except NotFreezable as error:
        return {"refused": str(error)}
    weights = [node for node in frozen.graph.node if node.op == "Const" and node.ByteSize() > 200]
    return {"operations": [node.op for node in frozen.graph.node], "weights": len(weights)}


def save(name, module, **others):
    tf.saved_model.save(module, str(FOLDER / name), signatures={"serving_default": module.serve, **others})


def main():
    classifier = Classifier()
    save("affine", Affine())
    save("classifier", classifier, same=classifier.serve, best=classifier.best)
    save("table", Table())
    save("counter", Counter())
    save("keeper", Keeper())
    save("text", Text())
    save("random", Random())
    save("wide", Wide())
    save("holds_keras", HoldsKeras())
    save("failing", Failing())
    frozen = {name: freezing(name) for name in ("affine", "classifier", "table", "counter", "keeper", "random")}
    (FOLDER / "freezing.json").write_text(json.dumps(frozen))
    extra = FOLDER / "classifier" / "assets.extra"
    extra.mkdir()
    (extra / "inspection.json").write_text(json.dumps({"labels": ["good", "scratch", "dent"]}))
    np.savez(extra / "golden_inputs.npz", image=np.arange(2 * 32 * 32, dtype="uint8").reshape(2, 32, 32, 1))
    keys = ["serving_default", "best"]
    converter = TFLiteSavedModelConverterV2(str(FOLDER / "classifier"), {"serve"}, keys)
    (FOLDER / "classifier.tflite").write_bytes(converter.convert())
    images = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 1)).astype("uint8")
    np.savez(FOLDER / "expected.npz", images=images, scores=classifier.scores(images).numpy())


main()
