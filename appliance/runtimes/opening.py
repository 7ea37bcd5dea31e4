"""A prepared version becomes a model: the one place that knows all engines."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import Description, metadata_of
from appliance.runtimes.model import Engine, Model, Signature
from appliance.runtimes.prepared import Prepared, Tensors


class OpenModel(Model, Protocol):
    """A model that its owner closes."""

    def close(self) -> None:
        """Give the memory back. Once, when nobody calls."""


def open_model(
    folder: Path, description: Description, prepared: Prepared, file: Path | None, config: RuntimeConfig
) -> OpenModel:
    """Load with the engine that was chosen; nothing has run yet. Raises: LoadError, LoadRefused.

    Only the library of that engine is loaded into the process.
    """
    if prepared.engine == "litert":
        from appliance.runtimes.litert.model import LiteRtModel

        return LiteRtModel(
            _there(file),
            description,
            same_as=prepared.same_as,
            threads=config.threads,
            copies=config.copies,
            engine_reason=prepared.engine_reason,
            digest=prepared.source_digest,
        )
    from appliance.runtimes.tensorflow import opening

    if prepared.engine == "tensorflow-frozen":
        in_graph = _in_graph(description.signatures, prepared)
        return opening.open_frozen(_there(file), description, in_graph, prepared, config)
    return opening.open_exported(folder, description, prepared, config)


def open_tflite(file: Path, prepared: Prepared, config: RuntimeConfig) -> OpenModel:
    """Load a .tflite file for what it offers by itself. Raises: LoadError, LoadRefused, OSError."""
    from appliance.runtimes.litert.model import LiteRtModel

    return LiteRtModel(
        file,
        Description({}, {}, {}, metadata_of(file.parent), (), ""),
        same_as={},
        threads=config.threads,
        copies=config.copies,
        engine_reason=prepared.engine_reason,
        digest=prepared.source_digest,
        as_offered=True,
    )


def load_libraries(engine: Engine) -> None:
    """Load what `engine` needs into the process, once and for all. Raises: LoadError."""
    if engine == "litert":
        from appliance.runtimes.litert.capi import litert

        litert()
    else:
        from appliance.runtimes.tensorflow.capi import tensorflow

        tensorflow()


def _there(file: Path | None) -> Path:
    if file is None:
        raise RuntimeError("this engine loads a prepared file and was given none")
    return file


def _in_graph(signatures: Mapping[str, Signature], prepared: Prepared) -> dict[str, Signature]:
    """The signatures, with the names that their tensors have in the frozen graph."""
    return {
        key: _renamed(signature, prepared.tensors[prepared.same_as.get(key, key)])
        for key, signature in signatures.items()
    }


def _renamed(signature: Signature, tensors: Tensors) -> Signature:
    return replace(
        signature,
        inputs={alias: replace(spec, tensor=tensors.inputs[alias]) for alias, spec in signature.inputs.items()},
        outputs={alias: replace(spec, tensor=tensors.outputs[alias]) for alias, spec in signature.outputs.items()},
    )
