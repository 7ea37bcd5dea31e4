"""The way of one request through a session: everything that can be made beforehand is made beforehand."""

import ctypes
from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from appliance.runtimes.dtypes import STRING, numpy_name
from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.runtimes.model import Array, Signature, check_names
from appliance.runtimes.tensorflow.capi import INVALID_ARGUMENT, Output, Pointer, TensorFlow
from appliance.runtimes.tensorflow.feed import Feed, LooseFeed, feed_for
from appliance.runtimes.tensorflow.session import Session
from appliance.runtimes.tensorflow.strings import strings_of

_COPIED_WITH_LOCK_MAX = 65_536
"""Bytes of output up to which a copy is made without letting go of the interpreter's lock."""


class Call:
    """One signature of one session, for one thread at a time.

    With `keeps_inputs` the graph may hold on to what it was fed (a variable assigned from an input), so each call
    feeds memory of its own; a frozen graph has no such memory, and the same tensor is filled and fed again.
    """

    def __init__(
        self, session: Session, signature: Signature, run_options: int, *, keeps_inputs: bool, loose: bool = False
    ) -> None:
        """With `loose`, inputs are the graph's to judge, and its errors are told in its own words.

        Raises: LoadError where the graph lacks a tensor that the signature names.
        """
        tf = self._tf = session.tf
        self._session = session
        self._signature = signature
        self._loose = loose
        self._feeds: list[tuple[int, str, Feed]] = [
            (index, spec.alias, LooseFeed(tf) if loose else feed_for(tf, spec, keeps_inputs=keeps_inputs))
            for index, spec in enumerate(signature.inputs.values())
        ]
        self._fetches = [(index, alias) for index, alias in enumerate(signature.outputs)]
        feeds, fetches = len(signature.inputs), len(signature.outputs)
        self._fed = (Pointer * feeds)()
        self._fetched = (Pointer * fetches)()
        self._status = tf.TF_NewStatus()
        self._arguments = (
            Pointer(session.pointer), Pointer(run_options),
            (Output * feeds)(*(session.output(spec.tensor) for spec in signature.inputs.values())),
            self._fed, feeds,
            (Output * fetches)(*(session.output(spec.tensor) for spec in signature.outputs.values())),
            self._fetched, fetches,
            None, 0, None, Pointer(self._status),
        )  # fmt: skip
        self._run = tf.TF_SessionRun
        self._code = tf.TF_GetCode

    def __call__(self, inputs: Mapping[str, Array], /) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError; RuntimeError after the model was closed."""
        if self._session.is_closed:
            raise RuntimeError("the model is closed")
        if len(inputs) != len(self._feeds):
            check_names(self._signature, inputs)
        fed, fetched = self._fed, self._fetched
        try:
            for index, alias, feed in self._feeds:
                fed[index] = feed.fill(inputs[alias])
        except KeyError:
            check_names(self._signature, inputs)
            raise
        self._run(*self._arguments)
        for _, _, feed in self._feeds:
            feed.empty()
        if self._code(self._status):
            raise self._error()
        return {alias: _taken(self._tf, fetched[index] or 0) for index, alias in self._fetches}

    def _error(self) -> InvalidInput | PredictError:
        message = self._tf.TF_Message(self._status).decode(errors="replace")
        sentence = message if self._loose else f"signature {self._signature.key!r}: {message.partition(chr(10))[0]}"
        code = self._code(self._status)
        return InvalidInput(sentence) if code == INVALID_ARGUMENT else PredictError(sentence, code)

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ did not come that far
            self._tf.TF_DeleteStatus(self._status)


def _taken(tf: TensorFlow, tensor: int) -> Array:
    """Copy a TF_Tensor* into an array and delete it."""
    try:
        number = tf.TF_TensorType(tensor)
        shape = tuple([tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor))])
        if number == STRING:
            return strings_of(tf, tensor, shape)
        dtype = _DTYPES.get(number)
        if dtype is None:
            raise PredictError(f"an output has TensorFlow's element type {number}, which numpy does not have")
        size = tf.TF_TensorByteSize(tensor)
        if size <= _COPIED_WITH_LOCK_MAX:
            return np.ndarray(shape, dtype, ctypes.string_at(tf.TF_TensorData(tensor), size))
        array = np.empty(shape, dtype)
        ctypes.memmove(array.ctypes.data, tf.TF_TensorData(tensor), size)
        array.flags.writeable = False
        return array
    finally:
        tf.TF_DeleteTensor(tensor)


_DTYPES = {
    number: np.dtype(name) for number in range(1, 64) if number != STRING and (name := numpy_name(number)) is not None
}
