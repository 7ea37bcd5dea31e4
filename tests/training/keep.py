"""Keep a trained model small enough to be committed: its weights as constants, once. `python keep.py <from> <to>`.

For example, after screws.train(Path("/tmp/out"), fold=0):
    PYTHONPATH=.:tests python tests/training/keep.py /tmp/out tests/training/kept
"""

import json
import shutil
import sys
from pathlib import Path

from training import learning


def keep(trained: Path, out: Path) -> None:
    """From <trained>/1 with its predictions to <out>/1, which gives the same scores."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    source = tf.saved_model.load(str(trained / "1"))
    frozen = convert_variables_to_constants_v2(source.signatures["serving_default"])
    (image,) = frozen.inputs

    class Kept(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(image.shape, image.dtype, name="image")])
        def judge(self, image):
            (scores,) = frozen(image)
            return {"scores": scores}

    model = Kept()
    tf.saved_model.save(model, str(out / "1"), signatures=model.judge)
    shutil.copytree(trained / "1" / "assets.extra", out / "1" / "assets.extra")
    for name in ("assets", "fingerprint.pb"):
        gone = out / "1" / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
    predictions = json.loads((trained / learning.PREDICTIONS).read_text())
    short = {name: [[round(score, 6) for score in row] for row in rows] for name, rows in predictions.items()}
    (out / learning.PREDICTIONS).write_text(json.dumps(short, indent=0) + "\n")


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
