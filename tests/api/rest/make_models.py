"""Writes the SavedModels that these tests ask: `python make_models.py FOLDER`. Imports tensorflow."""

import json
import sys
from pathlib import Path

import tensorflow as tf

FOLDER = Path(sys.argv[1])
INPUT = {"width": 32, "height": 24, "color": "BGR8", "dtype": "float32", "resize": "area", "scale": 0.5, "offset": -1.0}


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


def save(name, signature, function, version="1", metadata=None):
    module = tf.Module()
    module.serve = tf.function(function, input_signature=signature)
    folder = FOLDER / name / version
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    if metadata:
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "inspection.json").write_text(json.dumps(metadata))


save("affine", [spec([None], tf.float32, "x")], lambda x: {"y": 0.5 * x + 2.0})
save("affine", [spec([None], tf.float32, "x")], lambda x: {"y": 0.5 * x + 3.0}, "2")
save("echo", [spec(None, tf.float32, "x")], lambda x: {"y": tf.identity(x)})
save("whole", [spec(None, tf.int64, "x")], lambda x: {"y": tf.identity(x)})
save("words", [spec([None], tf.string, "x")], lambda x: {"y": tf.identity(x), "y_bytes": tf.identity(x)})
save(
    "two",
    [spec([None, 2], tf.float32, "a"), spec([None], tf.int32, "b")],
    lambda a, b: {"sum": tf.reduce_sum(a, 1) + tf.cast(b, tf.float32), "b": tf.identity(b)},
)
save("size", [spec([None, 224, 224, 3], tf.float32, "image")], lambda image: {"mean": tf.reduce_mean(image, [1, 2])})
save("said", [spec([None, 24, 32, 3], tf.float32, "image")], lambda image: {"image": tf.identity(image)}, "1",
     {"labels": ["a"], "input": INPUT})  # fmt: skip
save("bytes", [spec([None, 8, 8, 3], tf.uint8, "image")], lambda image: {"image": tf.identity(image)})
save("file", [spec([None], tf.string, "picture")], lambda picture: {"size": tf.strings.length(picture)})
save("half", [spec([None], tf.float16, "x")], lambda x: {"y": tf.identity(x)})
