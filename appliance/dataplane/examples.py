"""Classify's and Regress' way in and out: examples to one tensor of strings, and outputs to labels, scores and values.

In the order and the words of classifier.cc, regressor.cc and util.cc.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from appliance.dataplane.backend import Outline
from appliance.dataplane.errors import Code, RequestError
from appliance.dataplane.signatures import CLASSIFY_METHOD, REGRESS_METHOD, shown
from appliance.dataplane.tensors import dtype_name, tensorflow_name
from appliance.runtimes.model import STRING_DTYPE, Array, Signature

INPUTS: Final = "inputs"
CLASSES, SCORES = "classes", "scores"
OUTPUTS: Final = "outputs"


def examples_of(given: Any) -> list[bytes]:
    """The serialized examples of a tensorflow.serving.Input; a context goes before each, so that the example wins."""
    if given.WhichOneof("kind") == "example_list_with_context":
        listed = given.example_list_with_context
        context: bytes = listed.context.SerializeToString()
        return [context + example.SerializeToString() for example in listed.examples]
    return [example.SerializeToString() for example in given.example_list.examples]


def tensor_of(examples: Sequence[bytes]) -> Array:
    """Raises: RequestError where there are none."""
    if not examples:
        raise _invalid("Input is empty.")
    array = np.empty(len(examples), dtype=object)
    array[:] = examples
    return array


def to_classify(outline: Outline, signature: Signature, *, check_method: bool) -> Sequence[str]:
    """Which outputs to compute. Raises: RequestError (INVALID_ARGUMENT) where the signature classifies nothing."""
    if check_method and signature.method != CLASSIFY_METHOD:
        raise _wrong_method("classification", CLASSIFY_METHOD, signature)
    if len(signature.inputs) != 1:
        raise _invalid("Expected one input Tensor.")
    if len(signature.outputs) not in {1, 2}:
        raise _invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise _invalid(f"No classification inputs found in SignatureDef: {shown(outline, signature.key)}")
    wanted = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not wanted:
        raise _invalid(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
            f"Signature was: {shown(outline, signature.key)}"
        )
    return wanted


def to_regress(outline: Outline, signature: Signature, *, check_method: bool) -> Sequence[str]:
    """Which outputs to compute. Raises: RequestError (INVALID_ARGUMENT) where the signature regresses nothing."""
    if check_method and signature.method != REGRESS_METHOD:
        raise _wrong_method("regression", REGRESS_METHOD, signature)
    if len(signature.inputs) != 1:
        raise _invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise _invalid("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise _invalid(f"No regression inputs found in SignatureDef: {shown(outline, signature.key)}")
    if OUTPUTS not in signature.outputs:
        raise _invalid(f"No regression outputs found in SignatureDef: {shown(outline, signature.key)}")
    return [OUTPUTS]


def classified(found: Mapping[str, Array], count: int) -> list[list[tuple[str, float]]]:
    """For each of `count` examples its (label, score) pairs. Raises: RequestError where the outputs are otherwise."""
    classes, scores = found.get(CLASSES), found.get(SCORES)
    for alias, array, dtype in ((CLASSES, classes, STRING_DTYPE), (SCORES, scores, "float32")):
        if array is not None:
            _check_classes(alias, array, dtype, count)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise _invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    either = classes if scores is None else scores
    assert either is not None
    labels = [[""] * either.shape[1]] * count if classes is None else [[_text(item) for item in row] for row in classes]
    values = [[0.0] * either.shape[1]] * count if scores is None else scores.tolist()
    return [list(zip(*row, strict=True)) for row in zip(labels, values, strict=True)]


def regressed(found: Mapping[str, Array], count: int) -> list[float]:
    """One value for each of `count` examples. Raises: RequestError where the output is otherwise."""
    array = found[OUTPUTS]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise _invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(array)}"
        )
    if array.shape[0] != count:
        raise _invalid(f"Input batch size did not match output batch size: {count} vs. {array.shape[0]}")
    if dtype_name(array) != "float32":
        raise _invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_data_type(dtype_name(array))}")
    values: list[float] = array.reshape(-1).tolist()
    return values


def _check_classes(alias: str, array: Array, dtype: str, count: int) -> None:
    if array.ndim != 2:
        raise _invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
    if dtype_name(array) != dtype:
        raise _invalid(f"Expected {alias} Tensor of {_data_type(dtype)}. Got: {_data_type(dtype_name(array))}")
    if array.shape[0] != count:
        raise _invalid(f"Expected {alias} output batch size of {count}. Got: {array.shape[0]}")


def _wrong_method(kind: str, wanted: str, signature: Signature) -> RequestError:
    return _invalid(f"Expected {kind} signature method_name to be {wanted}. Was: {signature.method}")


def _data_type(dtype: str) -> str:
    return f"DT_{tensorflow_name(dtype).upper()}"


def _shape(array: Array) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"


def _text(item: bytes) -> str:
    return item.decode(errors="replace")


def _invalid(message: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, message)
