"""The way of one request through a session: everything that can be made beforehand is made beforehand."""

import ctypes
from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.runtimes.model import Array, Signature, check_names, checked_input
from appliance.runtimes.tensorflow import strings
from appliance.runtimes.tensorflow.capi import INVALID_ARGUMENT, Output, Pointer
from appliance.runtimes.tensorflow.dtypes import STRING, numpy_name, tensorflow_number
from appliance.runtimes.tensorflow.session import Session

_COPY_WITH_LOCK_MAX = 65_536
"""Bytes of output up to which a copy is made without letting go of the interpreter's lock."""


class Call:
    """One signature of one session, for one thread at a time.

    With `keeps_inputs` the graph may hold on to what it was fed (a variable assigned from an input), so inputs are
    copied; a frozen graph has no such memory and reads the caller's array where it lies.
    """

    def __init__(self, session: Session, signature: Signature, run_options: int, *, keeps_inputs: bool) -> None:
        """Raises: LoadError where the graph lacks a tensor that the signature names."""
        tf = self._tf = session.tf
        self._session = session
        self._signature = signature
        self._inputs = [(spec, tensorflow_number(spec.dtype)) for spec in signature.inputs.values()]
        self._outputs = list(signature.outputs)
        self._keeps_inputs = keeps_inputs
        feeds = (Output * len(self._inputs))(*(session.output(spec.tensor) for spec, _ in self._inputs))
        fetches = (Output * len(self._outputs))(*(session.output(spec.tensor) for spec in signature.outputs.values()))
        self._fed = (Pointer * len(self._inputs))()
        self._fetched = (Pointer * len(self._outputs))()
        self._status = tf.TF_NewStatus()
        self._arguments = (
            Pointer(session.pointer), Pointer(run_options),
            feeds, self._fed, len(self._inputs),
            fetches, self._fetched, len(self._outputs),
            None, 0, None, Pointer(self._status),
        )  # fmt: skip
        self._run = tf.TF_SessionRun

    def __call__(self, inputs: Mapping[str, Array], /) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError."""
        tf = self._tf
        if len(inputs) != len(self._inputs):
            check_names(self._signature, inputs)
        fed = self._fed
        held = []  # what TensorFlow reads in place has to live until it has read it
        try:
            for index, (spec, number) in enumerate(self._inputs):
                try:
                    given = inputs[spec.alias]
                except KeyError:
                    check_names(self._signature, inputs)
                    raise
                given = checked_input(spec, given)
                held.append(given)
                fed[index] = self._tensor(given, number)
            self._run(*self._arguments)
            if tf.TF_GetCode(self._status):
                raise self._error()
            return {alias: self._array(self._fetched[index] or 0) for index, alias in enumerate(self._outputs)}
        finally:
            for tensors in (fed, self._fetched):
                for index, tensor in enumerate(tensors):
                    if tensor:
                        tf.TF_DeleteTensor(tensor)
                        tensors[index] = None

    def _tensor(self, given: Array, number: int) -> int:
        tf = self._tf
        dims = (ctypes.c_int64 * given.ndim)(*given.shape)
        if number == STRING:
            return strings.tensor(tf, given, dims)
        address = given.ctypes.data
        if not self._keeps_inputs:
            made: int = tf.TF_NewTensor(number, dims, given.ndim, address, given.nbytes, tf.keep, None)
        else:
            made = tf.TF_AllocateTensor(number, dims, given.ndim, given.nbytes)
            ctypes.memmove(tf.TF_TensorData(made), address, given.nbytes)
        return made

    def _array(self, tensor: int) -> Array:
        tf = self._tf
        number = tf.TF_TensorType(tensor)
        shape = tuple(tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor)))
        if number == STRING:
            return strings.array(tf, tensor, shape)
        name = numpy_name(number)
        if name is None:
            raise PredictError(f"an output has TensorFlow's element type {number}, which numpy does not have")
        size = tf.TF_TensorByteSize(tensor)
        array = np.empty(shape, name)
        ctypes.memmove(array.ctypes.data, tf.TF_TensorData(tensor), size)
        return array

    def _error(self) -> InvalidInput | PredictError:
        message = self._tf.TF_Message(self._status).decode(errors="replace").partition("\n")[0]
        if self._tf.TF_GetCode(self._status) == INVALID_ARGUMENT:
            return InvalidInput(f"signature {self._signature.key!r}: {message}")
        return PredictError(f"signature {self._signature.key!r}: {message}")

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ did not come that far
            self._tf.TF_DeleteStatus(self._status)
