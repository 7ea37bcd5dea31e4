"""A version directory or a frozen graph becomes a model; what TensorFlow says becomes a sentence for an engineer."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import Description
from appliance.runtimes.errors import LoadError, LoadRefused, NotServable
from appliance.runtimes.model import Signature
from appliance.runtimes.prepared import Prepared
from appliance.runtimes.tensorflow.capi import INVALID_ARGUMENT, RESOURCE_EXHAUSTED
from appliance.runtimes.tensorflow.model import TensorFlowModel
from appliance.runtimes.tensorflow.overrides import Overrides, overrides_of
from appliance.runtimes.tensorflow.session import StatusError, open_graph, open_saved_model
from appliance.runtimes.tensorflow.settings import run_options, session_config

EXPORT_AGAIN = (
    "export it again with keras `model.export(folder)`, or with tf.saved_model.save() of a tf.Module that holds each "
    "variable's own `.value`"
)
_UNKNOWN_OP = re.compile(r"Op type not registered '([^']*)'")
_NO_VARIABLE = re.compile(r"Could not find variable ([^\s.,]*)|Error while reading resource variable (\S*) from")


def open_exported(folder: Path, description: Description, prepared: Prepared, config: RuntimeConfig) -> TensorFlowModel:
    """Load a SavedModel as it was exported. Raises: LoadError, LoadRefused."""
    settings = session_config(config, overrides_of(folder))
    options = run_options(config)
    with in_our_words(str(folder)):
        session = open_saved_model(folder, description.tags, settings, options)
    try:
        signatures = {key: session.as_read(signature) for key, signature in description.signatures.items()}
    except LoadError:
        session.close()
        raise
    return TensorFlowModel(
        session,
        replace(description, signatures=signatures),
        signatures,
        options,
        engine="tensorflow-saved-model",
        engine_reason=prepared.engine_reason,
        digest=prepared.source_digest,
    )


def open_frozen(
    graph: Path,
    description: Description,
    in_graph: Mapping[str, Signature],
    prepared: Prepared,
    config: RuntimeConfig,
) -> TensorFlowModel:
    """Load a graph whose variables are constants. Raises: LoadError, LoadRefused."""
    with in_our_words(str(graph)):
        # For a processor it was optimised when it was prepared; for a GPU that is done here, where the GPU is.
        session = open_graph(graph, session_config(config, Overrides(), optimise=config.gpu is not None))
    return TensorFlowModel(
        session,
        description,
        in_graph,
        run_options(config),
        engine="tensorflow-frozen",
        engine_reason=prepared.engine_reason,
        digest=prepared.source_digest,
    )


@contextmanager
def in_our_words(what: str) -> Iterator[None]:
    """Raises: LoadError, LoadRefused for whatever TensorFlow says about `what`."""
    try:
        yield
    except StatusError as error:
        raise explained(what, error.code, str(error)) from error
    except MemoryError as error:
        raise LoadError(f"{what} does not fit into memory; serve fewer versions at once") from error


def explained(what: str, code: int, message: str) -> LoadError:
    """Say what is wrong and what to do."""
    first = message.partition("\n")[0]
    if unknown := _UNKNOWN_OP.search(message):
        return NotServable(
            f"{what} uses the operation {unknown[1]!r}, which the TensorFlow installed here does not have; "
            "export the model without it, or install the version it was made with",
            code,
        )
    if missing := _NO_VARIABLE.search(message):
        name = missing[1] or missing[2]
        return NotServable(f"{what} cannot be served: no session finds its variable {name!r}; {EXPORT_AGAIN}", code)
    if code == RESOURCE_EXHAUSTED:
        return LoadError(f"{what} does not fit into memory ({first}); serve fewer versions at once")
    return NotServable(f"{what} cannot be served: {first}; copy or export the model again", code)


def does_not_run(folder: Path, error: Exception) -> LoadError:
    """For a model that was loaded and whose first run failed."""
    if _NO_VARIABLE.search(str(error)) and not (folder / "variables").is_dir():
        return LoadRefused(f"{folder} cannot be served: it has no folder `variables`; copy the model again")
    return explained(str(folder), getattr(error, "code", INVALID_ARGUMENT), str(error))
