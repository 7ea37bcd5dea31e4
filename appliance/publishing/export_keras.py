"""Exports a `.keras` file as a SavedModel with its weights once, in a process of its own: TensorFlow is imported here.

Called as `python -m appliance.publishing.export_keras ORDER RESULT`, with JSON in both files. What goes wrong stands
in RESULT as `error`.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

_PARITY: Final = 1e-3
"""How far the exported graph's scores may lie from Keras' own: a tenth of what golden samples usually allow."""


def main(order_file: Path, result_file: Path) -> None:
    """Do what the order says; always leaves a result."""
    order = json.loads(order_file.read_text())
    try:
        result = _export(order)
    except Exception as error:  # noqa: BLE001 - the boundary to Keras, which raises whatever a saved model makes it raise
        result = {"error": _sentence(error)}
    result_file.write_text(json.dumps(result))


class _Unfit(Exception):
    """Its text is a sentence for the publisher."""


def _export(order: Mapping[str, Any]) -> dict[str, Any]:
    import keras
    import numpy as np
    import tensorflow as tf

    model = keras.models.load_model(order["model"], compile=False)
    _check(model, order)
    batch, wanted = np.load(order["batch"]), model.inputs[0].dtype
    output, score = _scores_of(model, order.get("output"), tf.cast(batch[:1], wanted))
    specification = tf.TensorSpec([None, *order["shape"]], order["dtype"], name="image")

    def serve(image: Any) -> dict[str, Any]:
        return {output: tf.cast(score(tf.cast(image, wanted)), tf.float32)}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[specification], autograph=False)
    # Only TensorFlow's variables, and a function that uses them: a module that holds Keras' own objects is saved
    # with a second copy of every weight, or with variables that a session does not find. And only those that are
    # used, in the model's order: the state of a Dropout's dice, or another order, is another file at each export, and
    # would be sent to every box.
    used = {id(variable): variable for variable in module.serve.get_concrete_function().variables}
    module.weights = [used.pop(id(one.value)) for one in model.variables if id(one.value) in used]
    module.more = list(used.values())
    tf.saved_model.save(module, order["out"], signatures={"serving_default": module.serve})
    scores = np.concatenate([np.asarray(score(tf.cast(batch[i : i + 1], wanted))) for i in range(len(batch))])
    _check_scores(scores, order["labels"])
    served = tf.saved_model.load(order["out"]).signatures["serving_default"]
    again = np.concatenate([served(image=batch[i : i + 1])[output].numpy() for i in range(len(batch))])
    if not np.allclose(scores, again, atol=_PARITY):
        raise _Unfit(f"the exported graph's scores differ from Keras' by {np.abs(scores - again).max():.3f}")
    return {"output": output, "scores": scores.tolist(), "written_by": f"keras {keras.__version__}"}


def _check(model: Any, order: Mapping[str, Any]) -> None:
    if len(model.inputs) != 1:
        raise _Unfit(f"it takes {len(model.inputs)} inputs, and a camera gives one picture")
    takes, gives = tuple(model.inputs[0].shape)[1:], tuple(order["shape"])
    if len(takes) != len(gives) or any(a is not None and a != b for a, b in zip(takes, gives, strict=True)):
        shown = " x ".join("any" if side is None else str(side) for side in takes)
        raise _Unfit(
            f"it takes {shown} (height, width, channels), and inspection.json says {' x '.join(map(str, gives))}; "
            "correct input.height, input.width and input.color there"
        )


def _scores_of(model: Any, named: str | None, example: Any) -> tuple[str, Callable[[Any], Any]]:
    """The output's name in the graph, and the function that gives it; what the model gives is seen by asking it."""
    found = model(example, training=False)
    if isinstance(found, Mapping):
        names: list[Any] = list(found)
        places: list[Any] = names
    elif isinstance(found, list | tuple):
        places = list(range(len(found)))
        names = list(getattr(model, "output_names", None) or places)
    else:
        return named or "scores", lambda image: model(image, training=False)
    if len(names) > 1 and named not in names:
        raise _Unfit(
            f"it gives {', '.join(map(str, names))}; name the one with the scores as output in inspection.json"
        )
    place = places[names.index(named)] if named in names else places[0]
    return named or "scores", lambda image: model(image, training=False)[place]


def _check_scores(scores: Any, labels: list[str]) -> None:
    if scores.ndim != 2 or (labels and scores.shape[1] != len(labels)):
        raise _Unfit(
            f"it gives {list(scores.shape[1:])} scores a picture, and there are {len(labels)} labels "
            f"({', '.join(labels)}); correct labels in inspection.json"
        )
    if not (scores.min() >= -1e-6 and scores.max() <= 1 + 1e-6):
        raise _Unfit(
            f"its scores go from {scores.min():.2f} to {scores.max():.2f} and have to be in 0..1; "
            "end the model with a softmax or a sigmoid"
        )


def _sentence(error: Exception) -> str:
    if isinstance(error, _Unfit):
        return str(error)
    said = " ".join(str(error).split())
    if "Lambda" in said or "safe_mode" in said:
        return (
            f"it holds code of its own (a Lambda layer), which is not run here; use Keras' layers instead: {said[:200]}"
        )
    if "Could not locate class" in said or "register_keras_serializable" in said:
        return (
            "it uses classes of your own; export it in your training script with tf.saved_model.save, and package "
            f"that folder: {said[:200]}"
        )
    return f"Keras could not use it: {type(error).__name__}: {said[:300].rstrip('.')}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
