"""What publishers bring: Keras files that are well and that are not, and SavedModels written the wrong way."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

SHAPE = (20, 30, 1)


def net(*, softmax: bool = True) -> keras.Model:
    """Dark pictures are a scratch, bright ones a dent; it carries some weights that do not matter, 0.6 MB of them."""
    image = keras.Input(SHAPE)
    level = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    wide = keras.layers.Dense(256, activation="relu")(level)
    wide = keras.layers.BatchNormalization()(keras.layers.Dense(512)(keras.layers.Dropout(0.5)(wide)))
    scores = keras.layers.Dense(3)
    logits = keras.layers.Add()([scores(level), keras.layers.Dense(3, kernel_initializer="zeros")(wide)])
    scores.set_weights([np.array([[0, -40, 40]], np.float32), np.array([0, 12, -28], np.float32)])
    return keras.Model(image, keras.layers.Softmax()(logits) if softmax else logits)


class HoldsKeras(tf.Module):
    """An attribute that is Keras' own: its variables are in the graph, and nothing restores them."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.float32, name="image")], autograph=False)
    def serve(self, image):
        return {"scores": self.model(image, training=False)}


class Reads(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.uint8, name="image")])
    def serve(self, image):
        size = tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
        return {"scores": tf.zeros([tf.shape(image)[0], 3]) + 0.0 * size}


def main(folder: Path) -> None:
    keras.utils.set_random_seed(1)
    model = net()
    model.save(folder / "net.keras")
    net(softmax=False).save(folder / "logits.keras")
    keras.Sequential([keras.Input(SHAPE), keras.layers.Lambda(lambda x: x)]).save(folder / "lambda.keras")
    model.export(folder / "twice", verbose=False)
    for name, module in (("lost", HoldsKeras(model)), ("reads", Reads())):
        tf.saved_model.save(module, str(folder / name), signatures={"serving_default": module.serve})


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    main(Path(sys.argv[1]))
