"""Writes a SavedModel that writes a file whenever it runs: `python make_models.py FOLDER WHERE`. Imports tensorflow."""

import sys
from pathlib import Path

import tensorflow as tf

FOLDER, WHERE = Path(sys.argv[1]), sys.argv[2]


class Writer(tf.Module):
    """Looks like the demo model. Each run reads a file of the box, and writes it elsewhere."""

    @tf.function(input_signature=[tf.TensorSpec([None, 500, 650, 1], tf.uint8, name="image")])
    def serve(self, image):
        with tf.control_dependencies([tf.io.write_file(WHERE, tf.io.read_file("/etc/hostname"))]):
            bright = tf.reduce_mean(tf.cast(image, tf.float32), [1, 2, 3]) / 255.0
            return {"scores": tf.stack([bright, *[1.0 - bright] * 4], axis=-1)}


model = Writer()
tf.saved_model.save(model, str(FOLDER), signatures=model.serve)
