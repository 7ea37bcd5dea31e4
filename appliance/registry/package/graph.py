"""A SavedModel's graphs as far as questions about their ops go: nodes, who feeds whom, who calls which function.

Field numbers are those of tensorflow/core/protobuf/{saved_model,meta_graph,saver}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value}.proto.
"""

import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.folder import open_file
from appliance.registry.package.wire import Buffer, WireError, parts, text

GRAPH_FILE: Final = "saved_model.pb"
_NODES_MAX: Final = 2_000_000
_NESTING_MAX: Final = 16
_FUNCTION_MIN_BYTES: Final = 5
"""Two tags, two lengths, and a name: shorter attributes, which most are, name no function."""
_INIT_COLLECTIONS: Final = frozenset({"saved_model_main_op", "legacy_init_op", "saved_model_initializers"})
_INIT_SIGNATURE: Final = "__saved_model_init_op"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph, or of a function's body."""

    name: str
    op: str
    inputs: tuple[str, ...]
    """Names of the nodes that feed it, control inputs too. Of no use inside functions, whose bodies run whole."""
    calls: tuple[str, ...]
    """Functions that its attributes name."""
    shared_name: str


@dataclass(frozen=True, slots=True)
class Graph:
    """One meta graph."""

    nodes: tuple[Node, ...]
    functions: Mapping[str, tuple[Node, ...]]
    outputs: frozenset[str]
    """Nodes that its signatures ask for."""
    starts: frozenset[str]
    """Nodes that loading runs: initialisers and the restoring of variables."""
    assets: tuple[str, ...]
    """Names of files below assets/."""

    def reached(self, wanted: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Names of the nodes that run for `wanted`, and of the functions that they call, directly or not."""
        feeding: dict[str, list[Node]] = {}
        for node in self.nodes:
            feeding.setdefault(node.name, []).append(node)
        seen: set[str] = set()
        called: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for node in feeding.get(name, ()):
                waiting += node.inputs
                self._call(node, called)
        return frozenset(seen), frozenset(called)

    def _call(self, node: Node, called: set[str]) -> None:
        waiting = [node]
        while waiting:
            one = waiting.pop()
            for name in (one.op, *one.calls):
                if name in self.functions and name not in called:
                    called.add(name)
                    waiting += self.functions[name]


def read_graphs(folder: Path) -> tuple[Graph, ...]:
    """Every graph of saved_model.pb. 0.1 s for 10,000 nodes. Raises: Rejected(NOT_A_PACKAGE, ...), OSError."""
    try:
        graphs = tuple(_graph(value) for number, value in parts(_mapped(folder)) if number == 2)
    except WireError as error:
        raise Rejected(Refusal.NOT_A_PACKAGE, f"{GRAPH_FILE} is damaged ({error}); export the model again.") from error
    if not graphs:
        raise Rejected(Refusal.NOT_A_PACKAGE, f"{GRAPH_FILE} holds no graph; export the model again.")
    return graphs


def _mapped(folder: Path) -> memoryview:
    """The file's pages, which go when nobody looks at them any more: constants are never read."""
    descriptor = open_file(folder, GRAPH_FILE)
    try:
        if not os.fstat(descriptor).st_size:
            raise WireError("it is empty")
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(descriptor)


def _graph(message: Buffer) -> Graph:
    nodes: list[Node] = []
    functions: dict[str, tuple[Node, ...]] = {}
    outputs: set[str] = set()
    starts: set[str] = set()
    assets: list[str] = []
    for number, value in parts(message):
        if number == 2:
            _read_graph(value, nodes, functions)
        elif number == 3:
            starts.update(_node_of(text(name)) for field, name in parts(value) if field == 3)
        elif number == 4:
            starts.update(_initialisers(value))
        elif number == 5:
            key, names = _signature(value)
            (starts if key == _INIT_SIGNATURE else outputs).update(names)
        elif number == 6:
            assets += [text(name) for field, name in parts(value) if field == 2]
    return Graph(tuple(nodes), functions, frozenset(outputs), frozenset(starts), tuple(assets))


def _read_graph(message: Buffer, nodes: list[Node], functions: dict[str, tuple[Node, ...]]) -> None:
    count = 0
    for number, value in parts(message):
        if number == 1:
            nodes.append(_node(value))
        elif number == 2:
            for field, function in parts(value):
                if field == 1:
                    name, body = _function(function)
                    functions[name] = functions.get(name, ()) + body
                    count += len(body)
        if count + len(nodes) > _NODES_MAX:
            raise WireError(f"more than {_NODES_MAX} nodes")


def _function(message: Buffer) -> tuple[str, tuple[Node, ...]]:
    name, body = "", []
    for number, value in parts(message):
        if number == 1:
            for field, one in parts(value):
                name = text(one) if field == 1 else name
        elif number == 3:
            body.append(_node(value))
    return name, tuple(body)


def _node(message: Buffer) -> Node:
    name, op, shared = "", "", ""
    inputs: list[str] = []
    calls: list[str] = []
    for number, value in parts(message):
        if number == 1:
            name = text(value)
        elif number == 2:
            op = text(value)
        elif number == 3:
            inputs.append(_node_of(text(value)))
        elif number == 5:
            key, attribute = _entry(value)
            if len(attribute) >= _FUNCTION_MIN_BYTES:
                calls += _called(attribute, 0)
            if key == "shared_name":
                shared = next((text(one) for field, one in parts(attribute) if field == 2), "")
    return Node(name, op, tuple(inputs), tuple(calls), shared)


def _called(attribute: Buffer, depth: int) -> Iterator[str]:
    """Functions in an AttrValue: its `func`, those of its list, and those in their own attributes."""
    if depth > _NESTING_MAX:
        raise WireError("attributes nested too deeply")
    for number, value in parts(attribute):
        if number == 10:
            yield from _named(value, depth)
        elif number == 1:
            for field, one in parts(value):
                if field == 9:
                    yield from _named(one, depth)


def _named(message: Buffer, depth: int) -> Iterator[str]:
    for number, value in parts(message):
        if number == 1:
            yield text(value)
        elif number == 2:
            yield from _called(_entry(value)[1], depth + 1)


def _initialisers(entry: Buffer) -> Iterator[str]:
    key, collection = _entry(entry)
    if key in _INIT_COLLECTIONS:
        for number, nodes in parts(collection):
            if number == 1:
                yield from (_node_of(text(name)) for field, name in parts(nodes) if field == 1)


def _signature(entry: Buffer) -> tuple[str, set[str]]:
    key, signature = _entry(entry)
    names: set[str] = set()
    for number, output in parts(signature):
        if number == 2:
            names.update(_tensors(_entry(output)[1], 0))
    return key, names


def _tensors(info: Buffer, depth: int) -> Iterator[str]:
    """Nodes that a TensorInfo names: a dense tensor's, a sparse one's three, a composite one's components'."""
    if depth > _NESTING_MAX:
        raise WireError("tensors nested too deeply")
    for number, value in parts(info):
        if number == 1:
            yield _node_of(text(value))
        elif number == 4:
            yield from (_node_of(text(name)) for field, name in parts(value) if field in {1, 2, 3})
        elif number == 5:
            for field, component in parts(value):
                if field == 2:
                    yield from _tensors(component, depth + 1)


def _entry(message: Buffer) -> tuple[str, Buffer]:
    """One entry of a map; doubled values are put together, as parsers merge them: nothing hides behind another."""
    key: str = ""
    found: Buffer = b""
    for number, value in parts(message):
        if number == 1:
            key = text(value)
        elif number == 2:
            found = bytes(found) + bytes(value) if found else value
    return key, found


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
