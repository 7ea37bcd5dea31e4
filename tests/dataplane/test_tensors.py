"""TensorProtos read as TensorFlow's Tensor::FromProto reads them, and written as AsProtoField and AsProtoContent do."""

import tracemalloc

import numpy as np
import pytest

from appliance.dataplane import Code, RequestError
from appliance.dataplane.tensors import FILLED_MAX_BYTES, array_of, tensor_proto_of
from appliance.protos import message
from appliance.runtimes.dtypes import tensorflow_number

NUMBERS = [
    "float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "bool", "complex64", "complex128",
]  # fmt: skip


def proto(dtype, shape=None, **values):
    made = message("tensorflow.TensorProto")(dtype=dtype, **values)
    for size in shape or ():
        made.tensor_shape.dim.add(size=size)
    return made


def extremes(dtype):
    """Values at both ends of a type."""
    if dtype == "bool":
        return np.array([[True, False, True], [False, False, True]])
    if dtype.startswith(("int", "uint")):
        limits = np.iinfo(dtype)
        return np.array([[0, 1, limits.max], [limits.min, limits.max // 2, 127]], dtype)
    limits = np.finfo(dtype)
    return np.array([[0, 1.5, limits.max], [-limits.max, limits.tiny, -1]], dtype)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_every_number_comes_back_as_it_went(dtype, as_content):
    given = extremes(dtype)
    for array in (given, given.T, given[:0], given[1, 0].reshape(()), given[:, ::2]):
        found = array_of(tensor_proto_of(array, as_content=as_content))
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert np.array_equal(found, array)


@pytest.mark.parametrize("as_content", [False, True])
def test_bytes_of_any_length_come_back_as_they_went(as_content):
    array = np.array([[b"", b"a\0\xff"], [b"x" * 300, b"last"]], dtype=object)

    found = array_of(tensor_proto_of(array, as_content=as_content))

    assert found.dtype == object
    assert found.tolist() == array.tolist()


def test_a_tensor_is_written_into_the_field_that_clients_read():
    written = tensor_proto_of(np.array([[1.5, 2.5]], "float32"))

    assert list(written.float_val) == [1.5, 2.5]
    assert [dim.size for dim in written.tensor_shape.dim] == [1, 2]
    assert list(tensor_proto_of(np.array([-1, 300], "int16")).int_val) == [-1, 300]
    assert list(tensor_proto_of(np.array([1], "float16")).half_val) == [0x3C00]
    assert list(tensor_proto_of(np.array([1 + 2j], "complex64")).scomplex_val) == [1, 2]
    assert tensor_proto_of(np.array([1.0], "float32"), as_content=True).tensor_content == b"\0\0\x80\x3f"


def test_content_wins_over_values():
    content = np.array([2, 4], "float32").tobytes()

    assert array_of(proto(1, [2], tensor_content=content, float_val=[9, 9])).tolist() == [2, 4]


def test_missing_values_repeat_the_last_and_surplus_ones_are_dropped():
    assert array_of(proto(1, [4], float_val=[2, 5])).tolist() == [2, 5, 5, 5]
    assert array_of(proto(1, [2], float_val=[1, 2, 3])).tolist() == [1, 2]
    assert array_of(proto(7, [3], string_val=[b"a", b"b"])).tolist() == [b"a", b"b", b"b"]
    assert array_of(proto(8, [3], scomplex_val=[1, 2, 3])).tolist() == [1 + 2j] * 3


def test_no_values_are_zeros():
    assert array_of(proto(3, [2])).tolist() == [0, 0]
    assert array_of(proto(7, [2])).tolist() == [b"", b""]
    assert array_of(proto(10, [1])).tolist() == [False]


def test_no_shape_is_a_scalar():
    assert array_of(proto(1, float_val=[2.5])).shape == ()


def test_a_truth_value_of_any_byte_but_0_is_true_and_can_be_sent_on():
    found = array_of(proto(10, [3], tensor_content=b"\x00\x01\xf4"))

    assert found.tolist() == [False, True, True]
    assert list(tensor_proto_of(found).bool_val) == [False, True, True]


def test_small_integers_wrap_as_they_do_in_tensorflow():
    assert array_of(proto(4, [2], int_val=[255, 256])).tolist() == [255, 0]
    assert array_of(proto(6, [1], int_val=[255])).tolist() == [-1]


@pytest.mark.parametrize(
    "broken",
    [
        proto(0, [1], float_val=[1]),
        proto(1, [-1], float_val=[1]),
        proto(1, [2], tensor_content=b"\0" * 7),
        proto(1, [2], tensor_content=b"\0" * 12),
        proto(101, [1], float_val=[1]),
        proto(11, [1], int_val=[1]),
        proto(1, [2**62, 2**62], float_val=[1]),
        proto(2, [2**61], double_val=[1]),
        proto(1, [2**31, 2**31, 0, 2**31]),
        proto(1, [1] * 65, float_val=[1]),
        proto(7, [2**40], tensor_content=b"\1a"),
        proto(7, [2], tensor_content=b"\1\1a"),
        proto(7, [1], tensor_content=b"\xff\xff\xff\xff\xff\xff"),
        proto(7, [1], tensor_content=b"\x85"),
    ],
)
def test_what_tensorflow_could_not_read_is_refused(broken):
    with pytest.raises(RequestError) as refused:
        array_of(broken)

    assert refused.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("dtype", [14, 20, 21])
def test_types_that_are_not_served_here_are_named(dtype):
    with pytest.raises(RequestError, match=r"bfloat16|resource|variant") as refused:
        array_of(proto(dtype, [1]))

    assert refused.value.code is Code.UNIMPLEMENTED


@pytest.mark.parametrize(
    "huge",
    [
        proto(1, [2**31], float_val=[1.0]),
        proto(1, [2**40]),
        proto(10, [FILLED_MAX_BYTES + 1]),
        proto(7, [FILLED_MAX_BYTES // 8], string_val=[b"x"]),
        proto(7, [1_000_000], string_val=[b"x" * 10_000]),
    ],
)
def test_a_shape_far_larger_than_its_values_costs_nothing(huge):
    tracemalloc.start()
    with pytest.raises(RequestError) as refused:
        array_of(huge)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert refused.value.code is Code.RESOURCE_EXHAUSTED
    assert peak < 1 << 20


def test_as_much_as_a_megapixel_picture_may_be_repeated():
    assert array_of(proto(tensorflow_number("float32"), [1, 1024, 1024, 3], float_val=[1])).sum() == 3 << 20


def test_a_tensor_of_nothing_may_have_any_shape_that_numpy_has():
    assert array_of(proto(1, [0, 5], tensor_content=b"whatever")).shape == (0, 5)
