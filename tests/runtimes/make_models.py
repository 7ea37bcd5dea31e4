"""Writes the SavedModels that these tests load: `python make_models.py FOLDER [examples]`. Imports tensorflow."""

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


def echo(dtype):
    @tf.function(input_signature=[spec(None, dtype, "x")])
    def same(x):
        return {"y": tf.identity(x)}

    return same


class Echo(tf.Module):
    """A signature for each element type that numpy has: what goes in comes out, whatever its shape."""

    def __init__(self):
        self.serve = echo(tf.float32)
        names = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float64 complex64 complex128 string"
        self.others = {name: echo(tf.as_dtype(name)) for name in names.split()}


class Ticker(tf.Module):
    """A signature without inputs, which does something."""

    def __init__(self):
        self.count = tf.Variable(0.0, name="count")

    @tf.function(input_signature=[])
    def tick(self):
        return {"count": self.count.assign_add(1.0)}

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"none": x[:0], "sum": tf.reduce_sum(x)}


class Reader(tf.Module):
    @tf.function(input_signature=[spec([], tf.string, "name")])
    def serve(self, name):
        return {"content": tf.io.read_file(name)}


class Failing(tf.Module):
    """Loads, and fails whenever it runs."""

    @tf.function(input_signature=[spec([None, 1], tf.float32, "x")])
    def serve(self, x):
        with tf.control_dependencies([tf.debugging.Assert(tf.constant(False), ["never"])]):
            return {"y": tf.identity(x)}


def save_twins():
    """Two signatures that read one tensor, as TensorFlow 1 wrote them."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        signatures = {
            key: v1.saved_model.predict_signature_def({"x": x}, {"y": x * factor})
            for key, factor in {"half": 0.5, "double": 2.0}.items()
        }
        builder = v1.saved_model.Builder(str(FOLDER / "twins"))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.add_meta_graph(["serve", "other"], {"other": signatures["half"]})
        builder.save()


def save_examples():
    """Of examples that must have a number: half of it, also as scores; and the number itself without an example."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "examples")
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        signatures = {
            "serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": x / 2.0}),
            "regress": v1.saved_model.regression_signature_def(examples, x / 2.0),
            "classify": v1.saved_model.classification_signature_def(examples, None, x / 2.0),
        }
        builder = v1.saved_model.Builder(str(FOLDER / "examples"))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


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
    if sys.argv[2:] == ["examples"]:
        save_examples()
        return
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
    echoes = Echo()
    save("echo", echoes, **echoes.others)
    ticker = Ticker()
    save("ticker", ticker, tick=ticker.tick)
    save("reader", Reader())
    save_twins()
    save_examples()
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
