"""Writes a model and what its training saw: `python make_model.py FOLDER`. Imports tensorflow.

FOLDER/1 is the model: it says how dark a scratch is, and whether it is red. FOLDER/pictures are crops and a frame;
FOLDER/scores.json are the scores that training had for them, by tf.image.resize in RGB, 0 to 1, with `area`.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
SIDE = 32
REGIONS = {"left": [10, 20, 200, 160], "right": [230, 20, 200, 160]}


class Scratches(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="image")])
    def serve(self, image):
        darkest = tf.reduce_min(tf.reduce_mean(image, -1), [1, 2])
        red = tf.reduce_max(image[..., 0] - image[..., 2], [1, 2])
        return {"scores": tf.nn.softmax(tf.stack([12 * (darkest - 0.6), 0 * red, 20 * (red - 0.2)], -1))}


def picture(rng, shape, scratch, *, red):
    """Bright metal with a scratch three pixels wide; blue, green, red as OpenCV has them."""
    pixels = rng.integers(170, 190, (*shape, 3), np.uint8)
    x, y = int(shape[1] * 0.41), int(shape[0] * 0.3)
    if scratch:
        pixels[y : y + 60, x : x + 3] = (20, 20, 200) if red else (20, 20, 20)
    return pixels


def as_training_saw_it(pixels):
    rgb = tf.convert_to_tensor(pixels[None, :, :, ::-1])
    return tf.image.resize(rgb, (SIDE, SIDE), method="area") / 255.0


model = Scratches()
tf.saved_model.save(model, str(FOLDER / "1"), signatures=model.serve)
pictures = FOLDER / "pictures"
pictures.mkdir()
rng = np.random.default_rng(3)
scores = {}
for name, scratch, red in (("good", False, False), ("scratch", True, False), ("red", True, True)):
    crop = picture(rng, (160, 200), scratch, red=red)
    cv2.imwrite(str(pictures / f"{name}.png"), crop)
    scores[f"{name}.png"] = model.serve(as_training_saw_it(crop))["scores"].numpy().tolist()[0]
frame = rng.integers(170, 190, (240, 440, 3), np.uint8)
for name, red in (("left", False), ("right", True)):
    x, y, width, height = REGIONS[name]
    frame[y : y + height, x : x + width] = picture(rng, (height, width), True, red=red)
cv2.imwrite(str(pictures / "frame.png"), frame)
cuts = [frame[y : y + height, x : x + width] for x, y, width, height in REGIONS.values()]
scores["frame.png"] = [model.serve(as_training_saw_it(cut))["scores"].numpy().tolist()[0] for cut in cuts]
(FOLDER / "scores.json").write_text(json.dumps({"scores": scores, "regions": REGIONS}))
