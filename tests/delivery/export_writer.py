"""A SavedModel that writes a file at each call: what the op allow-list is there for."""

import sys
from pathlib import Path

import tensorflow as tf


class Writer(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def __call__(self, x):
        tf.io.write_file("/tmp/written-by-a-model", "x")
        return {"y": x + 1.0}


model = Writer()
tf.saved_model.save(model, sys.argv[1], signatures=model.__call__.get_concrete_function())
assert Path(sys.argv[1]).is_dir()
