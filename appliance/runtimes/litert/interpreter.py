"""One compiled copy of a LiteRT model: its own packed weights and its own memory, for one thread at a time."""

import ctypes
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from appliance.runtimes.errors import InvalidInput, LoadRefused, PredictError
from appliance.runtimes.litert.capi import CPU, Layout, LiteRt, Pointer, StatusError, TensorType
from appliance.runtimes.litert.dtypes import LITERT
from appliance.runtimes.litert.signatures import Slot
from appliance.runtimes.memory import aligned
from appliance.runtimes.model import Array, check_names, checked_input


class Interpreter:
    """Weights are packed here: 10 ms for a small model, 0.3 s for a ResNet-50, without the GIL."""

    def __init__(self, litert: LiteRt, model: int, threads: int) -> None:
        """Raises: StatusError."""
        self.litert = litert
        with ExitStack() as stack:
            options = litert.made("CreateOptions")
            stack.callback(litert.DestroyOptions, options)
            litert.checked("SetOptionsHardwareAccelerators", options, CPU)
            if threads > 1:
                litert.checked("AddOpaqueOptions", options, litert.cpu_settings(f"num_threads = {threads}\n"))
            self.compiled: int = litert.made("CreateCompiledModel", litert.environment, model, options)

    def close(self) -> None:
        """Give the memory back; does nothing the second time."""
        if self.compiled:
            self.litert.DestroyCompiledModel(self.compiled)
            self.compiled = 0


class Call:
    """One signature of one interpreter. Buffers are made when a shape comes for the first time, and kept."""

    def __init__(self, interpreter: Interpreter, slot: Slot) -> None:
        self._interpreter = interpreter
        self._slot = slot
        self._shapes: tuple[tuple[int, ...], ...] = ()
        self._filled: list[Array] = []  # the buffers' memory, in the shapes that were given
        self._buffers: _Buffers | None = None
        self._inputs = [
            (index, alias, np.dtype(slot.signature.inputs[alias].dtype)) for index, alias in enumerate(slot.inputs)
        ]

    def __call__(self, inputs: Mapping[str, Array], /) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError."""
        if len(inputs) != len(self._inputs):
            check_names(self._slot.signature, inputs)
        buffers = self._buffers
        try:
            for index, alias, dtype in self._inputs:
                given = inputs[alias]
                if buffers is None or given.dtype != dtype or given.shape != self._shapes[index]:
                    buffers = self._resized(inputs)
                np.copyto(self._filled[index], given)
        except KeyError:
            check_names(self._slot.signature, inputs)
            raise
        if buffers is None:  # a signature without inputs
            buffers = self._resized(inputs)
        status = buffers.run(*buffers.arguments)
        if status:
            raise PredictError(f"signature {self._slot.signature.key!r}: {StatusError(status, 'LiteRT')}")
        return {alias: array.copy() for alias, array in buffers.outputs}

    def close(self) -> None:
        if self._buffers is not None:
            self._buffers.close()
            self._buffers = None
            self._filled = []

    def _resized(self, inputs: Mapping[str, Array]) -> "_Buffers":
        if not self._interpreter.compiled:
            raise RuntimeError("the model is closed")
        check_names(self._slot.signature, inputs)
        shapes = tuple(self._checked(alias, inputs[alias]).shape for alias in self._slot.inputs)
        if self._buffers is not None and shapes == self._shapes:
            return self._buffers
        self.close()
        try:
            self._buffers = _Buffers(self._interpreter, self._slot, _in_file(self._slot, shapes))
        except StatusError as error:
            sizes = ", ".join(str(list(shape)) for shape in shapes)
            raise InvalidInput(
                f"signature {self._slot.signature.key!r} does not take inputs of shape {sizes}: {error}"
            ) from error
        self._shapes = shapes
        self._filled = [array.reshape(shape) for array, shape in zip(self._buffers.inputs, shapes, strict=True)]
        return self._buffers

    def _checked(self, alias: str, given: Array) -> Array:
        """Raises: InvalidInput."""
        spec = self._slot.signature.inputs[alias]
        return checked_input(spec if self._slot.stored is None else replace(spec, shape=None), given)


def _in_file(slot: Slot, shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """The shapes to give LiteRT: where as many elements come as the file has, in the file's shape."""
    if slot.stored is None:
        return shapes
    return tuple(
        stored if prod(stored) == prod(shape) else shape for stored, shape in zip(slot.stored, shapes, strict=True)
    )


class _Buffers:
    """Memory for inputs and outputs of given shapes, and the interpreter sized for them."""

    def __init__(self, interpreter: Interpreter, slot: Slot, shapes: tuple[tuple[int, ...], ...]) -> None:
        """Raises: StatusError, LoadRefused where an output's size is known only after a run."""
        litert, compiled = interpreter.litert, interpreter.compiled
        self._litert = litert
        self._handles: list[int] = []
        signature = slot.signature
        resize = "CompiledModelResizeInputTensor" + ("" if slot.stored is None else "NonStrict")
        for index, (shape, is_open) in enumerate(zip(shapes, slot.open_inputs, strict=True)):
            if is_open:
                sizes = (ctypes.c_int * len(shape))(*shape)
                litert.checked(resize, compiled, slot.index, index, sizes, len(shape))
        layouts = (Layout * len(slot.outputs))()
        litert.checked(
            "GetCompiledModelOutputTensorLayouts",
            compiled,
            slot.index,
            len(slot.outputs),
            layouts,
            True,  # noqa: FBT003
        )
        self.inputs: list[Array] = []
        self.outputs: list[tuple[str, Array]] = []
        for alias, shape in zip(slot.inputs, shapes, strict=True):
            self.inputs.append(self._buffer(signature.inputs[alias].dtype, shape))
        for alias, layout in zip(slot.outputs, layouts, strict=True):
            if any(size < 0 for size in layout.shape):
                self.close()
                raise LoadRefused(f"output {alias!r} has a size that is known only after a run")
            self.outputs.append((alias, self._buffer(signature.outputs[alias].dtype, layout.shape)))
        feeds, fetches = len(slot.inputs), len(slot.outputs)
        self.run: Any = litert.RunCompiledModel
        self.arguments = (
            Pointer(compiled), slot.index,
            feeds, (Pointer * feeds)(*self._handles[:feeds]),
            fetches, (Pointer * fetches)(*self._handles[feeds:]),
        )  # fmt: skip

    def close(self) -> None:
        for handle in self._handles:
            self._litert.DestroyTensorBuffer(handle)
        self._handles.clear()

    def _buffer(self, dtype: str, shape: tuple[int, ...]) -> Array:
        array = aligned(shape, np.dtype(dtype))
        kind = TensorType.of(LITERT[dtype], shape)
        self._handles.append(
            self._litert.made(
                "CreateTensorBufferFromHostMemory", ctypes.byref(kind), array.ctypes.data, array.nbytes, None
            )
        )
        return array
