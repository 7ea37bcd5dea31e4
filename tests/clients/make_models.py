"""Writes the SavedModels that a served box is asked with: `python make_models.py FOLDER`. Imports tensorflow."""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


class HalfPlus(tf.Module):
    def __init__(self, more):
        self.more = tf.Variable(more, name="more")

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": 0.5 * x + self.more}


class Colours(tf.Module):
    """Says of each picture how red, green and blue it is."""

    def scores(self, image):
        return tf.nn.softmax(tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]) / 50.0)

    @tf.function(input_signature=[spec([None, 8, 12, 3], tf.uint8, "image")])
    def serve(self, image):
        return {"scores": self.scores(image)}


class JpegColours(Colours):
    """The same of JPEG files, decoded in the graph, as TensorFlow Serving's ResNet tutorial has it."""

    @tf.function(input_signature=[spec([None], tf.string, "image_bytes")])
    def serve(self, image_bytes):
        def decode(content):
            return tf.ensure_shape(tf.io.decode_jpeg(content, channels=3), [8, 12, 3])

        return {"output_0": self.scores(tf.map_fn(decode, image_bytes, fn_output_signature=tf.uint8))}


class Dense(tf.Module):
    """An image of floats in, `output_0` out, as Keras names what has no name."""

    @tf.function(input_signature=[spec([None, 28, 28, 1], tf.float32, "keras_tensor")])
    def serve(self, keras_tensor):
        sums = tf.reduce_sum(keras_tensor, [1, 2, 3])
        return {"output_0": tf.stack([sums, -sums], 1)}


class Slow(tf.Module):
    """Takes as long as it is told: about a second for each thousand turns."""

    @tf.function(input_signature=[spec([], tf.int32, "turns")])
    def serve(self, turns):
        square = tf.fill([400, 400], 1e-3)
        _, last = tf.while_loop(
            lambda turn, _: turn < turns,
            lambda turn, m: (turn + 1, tf.linalg.matmul(m, square)),
            (0, square),
            parallel_iterations=1,
        )
        return {"done": tf.reduce_sum(last)}


def save(folder, module):
    tf.saved_model.save(module, str(FOLDER / folder), signatures={"serving_default": module.serve})


def save_classifier(folder):
    """A graph of TensorFlow 1 with classify's own signature: examples with floats in, labels and scores out."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        examples = tf.compat.v1.placeholder(tf.string, [None], "examples")
        wanted = {"length": tf.io.FixedLenFeature([1], tf.float32)}
        length = tf.io.parse_example(examples, wanted)["length"]
        scores = tf.concat([tf.sigmoid(length - 5.0), 1.0 - tf.sigmoid(length - 5.0)], 1)
        names = tf.tile(tf.constant([["long", "short"]]), [tf.shape(length)[0], 1])
        signature = tf.compat.v1.saved_model.classification_signature_def(examples, names, scores)
        builder = tf.compat.v1.saved_model.Builder(str(FOLDER / folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map={"serving_default": signature})
        builder.save()


def main():
    save("half_plus/1", HalfPlus(2.0))
    save("half_plus/2", HalfPlus(3.0))
    save("colours/1", Colours())
    save("jpeg_colours/1", JpegColours())
    save("dense/1", Dense())
    save("slow/1", Slow())
    save_classifier("lengths/1")
    extra = FOLDER / "colours/1/assets.extra"
    extra.mkdir()
    (extra / "inspection.json").write_text(json.dumps({"labels": ["red", "green", "blue"]}))
    red = np.zeros((8, 12, 3), np.uint8)
    red[..., 0] = 255
    np.save(FOLDER / "red.npy", red)
    (FOLDER / "red.jpg").write_bytes(tf.io.encode_jpeg(red).numpy())


main()
