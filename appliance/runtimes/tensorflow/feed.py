"""How an input's array becomes a tensor that TensorFlow reads."""

import ctypes
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from appliance.runtimes.dtypes import STRING, tensorflow_number
from appliance.runtimes.errors import InvalidInput
from appliance.runtimes.memory import aligned
from appliance.runtimes.model import Array, TensorSpec, checked_input
from appliance.runtimes.tensorflow.capi import TensorFlow
from appliance.runtimes.tensorflow.strings import tensor_of


class Feed(Protocol):
    """One input of one call. fill(), run, empty()."""

    def fill(self, given: Array) -> int:
        """Return a TF_Tensor* with `given`'s values. Raises: InvalidInput, and then there is nothing to empty."""

    def empty(self) -> None:
        """TensorFlow has run."""


def feed_for(tf: TensorFlow, spec: TensorSpec, *, keeps_inputs: bool) -> Feed:
    if tensorflow_number(spec.dtype) == STRING or keeps_inputs:
        return _FreshFeed(tf, spec)
    return _StandingFeed(tf, spec)


class _FreshTensor:
    """A tensor for each call, whose memory TensorFlow owns: the graph may keep it."""

    def __init__(self, tf: TensorFlow) -> None:
        self._tf = tf
        self._tensor = 0

    def _hold(self, given: Array, number: int, dims: ctypes.Array[ctypes.c_int64]) -> int:
        """`given`: contiguous; `number` and `dims`: its dtype and shape, as TensorFlow has them."""
        tf = self._tf
        if number == STRING:
            self._tensor = tensor_of(tf, given, dims)
        else:
            self._tensor = tf.TF_AllocateTensor(number, dims, given.ndim, given.nbytes)
            ctypes.memmove(tf.TF_TensorData(self._tensor), given.ctypes.data, given.nbytes)
        return self._tensor

    def empty(self) -> None:
        if self._tensor:
            self._tf.TF_DeleteTensor(self._tensor)
            self._tensor = 0

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ did not come that far
            self.empty()


class LooseFeed(_FreshTensor):
    """Feeds what it is given: whether its dtype and its shape fit is the graph's to judge, and to say."""

    def fill(self, given: Array) -> int:
        self.empty()  # of the call before, where another of its inputs was refused
        number = _number_of(given.dtype)
        if not given.flags.c_contiguous:
            given = np.ascontiguousarray(given)
        return self._hold(given, number, (ctypes.c_int64 * given.ndim)(*given.shape))


def _number_of(dtype: np.dtype[Any]) -> int:
    """Raises: InvalidInput."""
    if dtype.kind == "S":
        return STRING
    try:
        if dtype.isnative:
            return tensorflow_number(dtype.name)
    except KeyError:
        pass
    raise InvalidInput(f"TensorFlow has no tensors of {dtype.str}")


class _StandingFeed:
    """One tensor, filled again for each call; made anew when the shape changes."""

    def __init__(self, tf: TensorFlow, spec: TensorSpec) -> None:
        self._tf = tf
        self._spec = spec
        self._tensor = 0
        self._shape: tuple[int, ...] | None = None
        self._dtype = np.dtype(spec.dtype)

    def fill(self, given: Array) -> int:
        if given.shape != self._shape or given.dtype != self._dtype:
            checked_input(self._spec, given)
            self._make(given.shape)
        np.copyto(self._memory, given)
        return self._tensor

    def empty(self) -> None:
        pass

    def _make(self, shape: tuple[int, ...]) -> None:
        self._delete()
        self._memory = aligned(shape, self._dtype)
        dims = (ctypes.c_int64 * len(shape))(*shape)
        number = tensorflow_number(self._spec.dtype)
        self._tensor = self._tf.TF_NewTensor(
            number, dims, len(shape), self._memory.ctypes.data, self._memory.nbytes, self._tf.keep, None
        )
        self._shape = shape

    def _delete(self) -> None:
        if self._tensor:
            self._tf.TF_DeleteTensor(self._tensor)
            self._tensor, self._shape = 0, None

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ did not come that far
            self._delete()


class _FreshFeed(_FreshTensor):
    """Feeds what fits the signature; dims are kept from call to call."""

    def __init__(self, tf: TensorFlow, spec: TensorSpec) -> None:
        super().__init__(tf)
        self._spec = spec
        self._dtype = np.dtype(spec.dtype)
        self._number = tensorflow_number(spec.dtype)
        self._shape: tuple[int, ...] | None = None

    def fill(self, given: Array) -> int:
        self.empty()  # of the call before, where another of its inputs was refused
        if given.shape != self._shape or given.dtype != self._dtype or not given.flags.c_contiguous:
            given = checked_input(self._spec, given)
            self._shape = given.shape
            self._dims = (ctypes.c_int64 * given.ndim)(*given.shape)
        return self._hold(given, self._number, self._dims)
