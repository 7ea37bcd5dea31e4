"""A SavedModel's functions become one graph without variables, optimised beforehand. Imports tensorflow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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


def freeze(model: Any, keys: Iterable[str], *, optimise: bool) -> Frozen:
    """Freeze the signatures `keys` of a loaded SavedModel. Raises: NotFreezable."""
    import tensorflow as tf

    functions: dict[str, _Function] = {}
    seen: dict[bytes, str] = {}
    same_as: dict[str, str] = {}
    for key in keys:
        function = _frozen(key, model.signatures[key])
        content = _content(function)
        if content in seen:
            same_as[key] = seen[content]
        else:
            seen[content] = key
            functions[key] = function
    graph, tensors = tf.Graph(), {}
    with graph.as_default():
        for index, (key, function) in enumerate(functions.items()):
            prefix = f"s{index}"
            tf.import_graph_def(function.definition, name=prefix)
            tensors[key] = function.tensors(prefix)
    definition = graph.as_graph_def()
    _share_constants(definition)
    if optimise:
        definition = _optimised(definition, tensors.values())
    return Frozen(definition, tensors, same_as)


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
    return nodes + function.tensors("").model_dump_json().encode()


def _share_constants(definition: Any) -> None:
    """Let equal weights of several signatures be one node."""
    first: dict[bytes, str] = {}
    shared: dict[str, str] = {}
    for node in definition.node:
        if node.op == "Const" and not node.input:
            kept = first.setdefault(node.attr["value"].SerializeToString(deterministic=True), node.name)
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
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.grappler import tf_optimizer

    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
    kept = [name for each in tensors for name in (*each.inputs.values(), *each.outputs.values())]
    meta_graph.collection_def["train_op"].node_list.value.extend(kept)  # what grappler has to leave in place
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1
    return tf_optimizer.OptimizeGraph(config, meta_graph)
