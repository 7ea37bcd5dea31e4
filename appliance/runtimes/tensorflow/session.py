"""One graph in one TensorFlow session: opened and closed outside the interpreter's lock."""

import ctypes
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from appliance.runtimes.dtypes import numpy_name
from appliance.runtimes.errors import LoadError
from appliance.runtimes.memory import FileContent
from appliance.runtimes.model import Signature
from appliance.runtimes.tensorflow.capi import OK, Buffer, Output, TensorFlow, tensorflow

_GRAPH_BYTES_MAX = 2**31 - 1
"""A protocol buffer message can be no longer."""


class StatusError(Exception):
    """TensorFlow said no; `code` is its own (a gRPC code), the text is its message's first line."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """Threads: outputs(), and running what they name, from any; close() once, when nobody runs anything."""

    def __init__(self, tf: TensorFlow, graph: int, session: int) -> None:
        self.tf = tf
        self.is_closed = False
        self._graph = graph
        self._session = session

    @property
    def pointer(self) -> int:
        """TF_Session*. Raises: RuntimeError after close()."""
        if self.is_closed:
            raise RuntimeError("the session is closed")
        return self._session

    def output(self, tensor: str) -> Output:
        """Find the graph's tensor `operation:index`. Raises: LoadError where there is none."""
        operation, _, index = tensor.partition(":")
        found = self.tf.TF_GraphOperationByName(self._graph, operation.encode())
        number = int(index) if index.isdecimal() else 0
        if not found or number >= self.tf.TF_OperationNumOutputs(found):
            raise LoadError(f"a signature names the tensor {tensor!r} and the graph has none; export the model again")
        return Output(found, number)

    def as_read(self, signature: Signature) -> Signature:
        """The same, with each input's element type as the graph reads it: an exporter may have written another.

        Raises: LoadError where the graph lacks an input.
        """
        types = {
            alias: self.tf.TF_OperationOutputType(self.output(spec.tensor)) for alias, spec in signature.inputs.items()
        }
        inputs = {
            alias: replace(spec, dtype=numpy_name(types[alias]) or spec.dtype)
            for alias, spec in signature.inputs.items()
        }
        return replace(signature, inputs=inputs)

    def close(self) -> None:
        """Give the memory back; does nothing the second time."""
        if not self.is_closed:
            self.is_closed = True
            _destroy(self.tf, self._graph, self._session)


def open_saved_model(folder: Path, tags: tuple[str, ...], config: bytes, run_options: bytes) -> Session:
    """Load a SavedModel as tensorflow_model_server does. Seconds. Raises: StatusError."""
    tf = tensorflow()
    with ExitStack() as stack:
        options, status = _options(tf, config, stack), stack.enter_context(status_of(tf))
        run = _buffer(tf, run_options, stack)
        meta = stack.enter_context(_freed(tf.TF_NewBuffer(), tf.TF_DeleteBuffer))
        names = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
        graph = tf.TF_NewGraph()
        session = tf.TF_LoadSessionFromSavedModel(
            options, run, str(folder).encode(), names, len(tags), graph, meta, status
        )
        if not session:
            tf.TF_DeleteGraph(graph)
        check(tf, status)
        return Session(tf, graph, session)


def open_graph(file: Path, config: bytes) -> Session:
    """Load a GraphDef without variables. Raises: StatusError, OSError, LoadError."""
    tf = tensorflow()
    size = file.stat().st_size
    if not 0 < size <= _GRAPH_BYTES_MAX:
        raise LoadError(f"{file} has {size} bytes; a graph has between 1 byte and 2 GiB")
    with ExitStack() as stack:
        options, status = _options(tf, config, stack), stack.enter_context(status_of(tf))
        how = stack.enter_context(_freed(tf.TF_NewImportGraphDefOptions(), tf.TF_DeleteImportGraphDefOptions))
        content = FileContent(file)
        stack.callback(content.close)
        definition = Buffer(content.address, content.size, None)
        graph = tf.TF_NewGraph()
        session = 0
        tf.TF_GraphImportGraphDef(graph, ctypes.byref(definition), how, status)
        content.close()  # before the first run, which needs the room
        if tf.TF_GetCode(status) == OK:
            session = tf.TF_NewSession(graph, options, status) or 0
        if not session:
            tf.TF_DeleteGraph(graph)
        check(tf, status)
        return Session(tf, graph, session)


def check(tf: TensorFlow, status: int) -> None:
    """Raises: StatusError unless the last call went well."""
    code = tf.TF_GetCode(status)
    if code != OK:
        message: bytes = tf.TF_Message(status)
        raise StatusError(code, message.decode(errors="replace"))


@contextmanager
def status_of(tf: TensorFlow) -> Iterator[int]:
    status = tf.TF_NewStatus()
    try:
        yield status
    finally:
        tf.TF_DeleteStatus(status)


def _destroy(tf: TensorFlow, graph: int, session: int) -> None:
    with status_of(tf) as status:
        tf.TF_CloseSession(session, status)
        tf.TF_DeleteSession(session, status)
    tf.TF_DeleteGraph(graph)


@contextmanager
def _freed(pointer: int, free: object) -> Iterator[int]:
    try:
        yield pointer
    finally:
        free(pointer)  # type: ignore[operator]


def _buffer(tf: TensorFlow, content: bytes, stack: ExitStack) -> int:
    return stack.enter_context(_freed(tf.TF_NewBufferFromString(content, len(content)), tf.TF_DeleteBuffer))


def _options(tf: TensorFlow, config: bytes, stack: ExitStack) -> int:
    options = stack.enter_context(_freed(tf.TF_NewSessionOptions(), tf.TF_DeleteSessionOptions))
    status = stack.enter_context(status_of(tf))
    tf.TF_SetConfig(options, config, len(config), status)
    check(tf, status)
    return options
