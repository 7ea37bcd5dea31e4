"""A SavedModel's functions become one graph without variables, optimised beforehand. Imports tensorflow."""

import gc
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from appliance.runtimes.memory import give_back
from appliance.runtimes.prepared import Tensors

_READS: Final = {"VarHandleOp", "ReadVariableOp", "ResourceGather", "ResourceGatherNd"}
_CONTROL: Final = {
    "Assert", "Case", "If", "PartitionedCall", "Print", "PrintV2", "StatefulPartitionedCall", "While",
}  # fmt: skip
"""Stateful in name: what they call is looked at itself."""


class NotFreezable(Exception):
    """The model has a memory, or draws numbers: constants cannot replace that."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """One graph for all signatures."""

    graph: Any
    """A GraphDef."""
    tensors: Mapping[str, Tensors]
    same_as: Mapping[str, str]


def freeze(folder: Path, tags: Iterable[str], keys: Iterable[str], *, optimise: bool) -> Frozen:
    """Freeze the signatures `keys` of a SavedModel. Raises: NotFreezable, and whatever tensorflow raises.

    Takes some twenty times the weights' size in memory, for a while.
    """
    frozen = _merged(folder, tags, keys)
    gc.collect()  # the model itself, full of circles; what follows needs the room
    give_back()
    _share_constants(frozen.graph)
    if optimise:
        return replace(frozen, graph=_optimised(frozen.graph, frozen.tensors.values()))
    return frozen


def _merged(folder: Path, tags: Iterable[str], keys: Iterable[str]) -> Frozen:
    import tensorflow as tf

    model = tf.saved_model.load(str(folder), tags=list(tags))
    seen: dict[bytes, str] = {}
    same_as: dict[str, str] = {}
    tensors: dict[str, Tensors] = {}
    graph = tf.Graph()
    for key in keys:
        function = _frozen(key, model.signatures[key])
        first = seen.setdefault(_content(function), key)
        if first != key:
            same_as[key] = first
            continue
        prefix = f"s{len(tensors)}"
        with graph.as_default():
            tf.import_graph_def(function.definition, name=prefix)
        tensors[key] = function.tensors(prefix)
    return Frozen(graph.as_graph_def(), tensors, same_as)


@dataclass(frozen=True, slots=True)
class _Function:
    """One frozen signature."""

    definition: Any
    inputs: Mapping[str, str]
    """Tensor by alias."""
    outputs: Mapping[str, str]

    def tensors(self, prefix: str) -> Tensors:
        return Tensors(
            inputs={alias: f"{prefix}/{tensor}" for alias, tensor in self.inputs.items()},
            outputs={alias: f"{prefix}/{tensor}" for alias, tensor in self.outputs.items()},
        )


def _frozen(key: str, function: Any) -> _Function:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    _refuse(key, function.graph, allowed=_READS | _CONTROL)
    frozen = convert_variables_to_constants_v2(function)
    _refuse(key, frozen.graph, allowed=_CONTROL)
    # A signature's arguments come in the order of their aliases, and so do its results.
    inputs = zip(sorted(function.structured_input_signature[1]), frozen.inputs, strict=True)
    outputs = zip(sorted(function.structured_outputs), frozen.outputs, strict=True)
    return _Function(
        frozen.graph.as_graph_def(),
        {alias: tensor.name for alias, tensor in inputs},
        {alias: tensor.name for alias, tensor in outputs},
    )


def _refuse(key: str, graph: Any, *, allowed: set[str]) -> None:
    """Raises: NotFreezable where the graph, or a function it may call, remembers or draws something."""
    from tensorflow.python.framework import op_def_registry

    definition = graph.as_graph_def(add_shapes=False)
    nodes = list(definition.node)
    for function in definition.library.function:
        nodes.extend(function.node_def)
    for node in nodes:
        registered = op_def_registry.get(node.op)
        if registered is not None and registered.is_stateful and node.op not in allowed:
            raise NotFreezable(f"signature {key!r} uses {node.op}, which is more than a function of its inputs")


def _content(function: _Function) -> bytes:
    """Equal for two signatures that are the same function with the same aliases."""
    nodes: bytes = function.definition.SerializeToString(deterministic=True)
    return hashlib.sha256(nodes + function.tensors("").model_dump_json().encode()).digest()


def _share_constants(definition: Any) -> None:
    """Let equal weights of several signatures be one node."""
    first: dict[bytes, str] = {}
    shared: dict[str, str] = {}
    for node in definition.node:
        if node.op == "Const" and not node.input:
            value = hashlib.sha256(node.attr["value"].SerializeToString(deterministic=True)).digest()
            kept = first.setdefault(value, node.name)
            if kept != node.name:
                shared[node.name] = kept
    for node in definition.node:
        for index, name in enumerate(node.input):
            node.input[index] = shared.get(name, name)
    _remove(definition, {name for name in shared if name not in _controls(definition)})


def _controls(definition: Any) -> set[str]:
    return {name[1:] for node in definition.node for name in node.input if name.startswith("^")}


def _remove(definition: Any, names: set[str]) -> None:
    for index in reversed(range(len(definition.node))):
        if definition.node[index].name in names:
            del definition.node[index]


def _optimised(definition: Any, tensors: Iterable[Tensors]) -> Any:
    """What a session would do before its first run, done here: folding, fusing, pruning."""
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
    from tensorflow.python.grappler import tf_optimizer

    meta_graph = meta_graph_pb2.MetaGraphDef(graph_def=definition)
    kept = [name for each in tensors for name in (*each.inputs.values(), *each.outputs.values())]
    meta_graph.collection_def["train_op"].node_list.value.extend(kept)  # what grappler has to leave in place
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1
    return tf_optimizer.OptimizeGraph(config, meta_graph)
