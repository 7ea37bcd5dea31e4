"""A model without a server: loaded into this process, asked, and given back."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from appliance.client.errors import ClientError
from appliance.client.folders import classes, version_folder
from appliance.client.outputs import Prediction
from appliance.client.question import Question
from appliance.client.signatures import chosen, of_folder
from appliance.errors import ApplianceError
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Array, Model
from appliance.serving import ServableId, StaticManager

_NAME: Final = "asked"
_UNLOAD_S: Final = 5.0


def predict(question: Question) -> Prediction:
    """Load the version, ask it once, unload it. Seconds. Raises: ClientError, ServingError.

    It runs what was exported, by TensorFlow's C library and on the CPU: nothing is prepared, and a box that is running
    keeps its GPU.
    """
    version, folder = version_folder(Path(question.name), question.version)
    description = describe(folder)
    signature = chosen(of_folder(description.signature_defs), question.signature)
    if signature.key in description.left_out:
        raise ClientError(f"Signature {signature.key} cannot be called here: {description.left_out[signature.key]}.")
    inputs = question.inputs(signature)
    with TemporaryDirectory(prefix="appliance-models-") as scratch:
        config = RuntimeConfig(cache=Path(scratch), engines=("tensorflow-saved-model",))
        outputs, took_s = _asked(SavedModelLoader(folder, config), inputs, signature.key)
    return Prediction(question.name, version, signature.key, outputs, took_s, classes(description.metadata))


def _asked(loader: SavedModelLoader, inputs: Mapping[str, Array], signature: str) -> tuple[dict[str, Array], float]:
    """The outputs, and the seconds that the model took."""
    with _without_chatter():
        manager = StaticManager[Model]({ServableId(_NAME, 0): loader})
    try:
        with manager.borrow(_NAME) as borrowed:
            begun = time.monotonic()
            outputs = borrowed.servable.predict(inputs, signature)
            return outputs, time.monotonic() - begun
    except ApplianceError as error:
        raise ClientError(f"The model failed: {error}") from error
    finally:
        manager.stop(_UNLOAD_S)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """TensorFlow greets on the error output whatever its log level is; what goes wrong is in the errors raised."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
