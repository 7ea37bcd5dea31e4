"""What is typed becomes what the model takes, or a sentence that says what that is."""

import numpy as np
import pytest

from appliance.client.errors import ClientError
from appliance.client.inputs import arrays, check_names
from appliance.client.signatures import Shown
from appliance.runtimes.model import TensorSpec


def signature(dtype="float32", shape=(None, 1), **defaults):
    spec = TensorSpec("x", dtype, shape)
    return Shown("serving_default", "tensorflow/serving/predict", {"x": spec}, {}, defaults)


@pytest.mark.parametrize(
    ("dtype", "shape", "typed", "becomes"),
    [
        ("float32", (None, 1), "1.0,2,5e-1", [[1.0], [2.0], [0.5]]),
        ("float32", (None, 3), "1,2,3,4,5,6", [[1, 2, 3], [4, 5, 6]]),
        ("float32", (None, None), "1,2", [[1, 2]]),
        ("float32", (), "3", 3),
        ("float32", None, "1,2", [1, 2]),
        ("float32", (None,), "nan,-inf", [np.nan, -np.inf]),
        ("float32", (None, 2), "[[1, 2.5], [3, 4]]", [[1, 2.5], [3, 4]]),
        ("float32", (None, 2), "[1, 2]", [[1, 2]]),
        ("int64", (None,), "9007199254740993", [9007199254740993]),
        ("uint8", (None,), "[0, 255]", [0, 255]),
        ("bool", (None,), "true,False", [True, False]),
        ("complex64", (None,), "1+2j", [1 + 2j]),
        ("object", (None,), "good,bad", [b"good", b"bad"]),
        ("object", (None,), '["a,b", {"b64": "AAE="}]', [b"a,b", b"\x00\x01"]),
    ],
)
def test_numbers_words_and_json(dtype, shape, typed, becomes):
    made = arrays(signature(dtype, shape), {"x": typed})["x"]
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, np.array(becomes, dtype))


@pytest.mark.parametrize(
    ("dtype", "shape", "typed"),
    [
        ("float32", (None, 1), "abc"),
        ("float32", (None, 3), "1,2"),
        ("float32", (None, 2), "[[1], [2]]"),
        ("float32", (None, 1), "[[true]]"),
        ("float32", (None, 1), "[[null]]"),
        ("int32", (None,), "1.5"),
        ("int32", (None,), "3000000000"),
        ("uint8", (None,), "-1"),
        ("bool", (None,), "1"),
        ("object", (None,), "[1]"),
        ("bfloat16", (None,), "1"),
    ],
)
def test_what_does_not_fit_is_told_with_what_the_model_takes(dtype, shape, typed):
    with pytest.raises(ClientError) as told:
        arrays(signature(dtype, shape), {"x": typed})
    assert "he model takes x as " + ("string" if dtype == "object" else dtype) in str(told.value)


@pytest.mark.parametrize("typed", ["[[1, 2], [3]]", "[1, 2", '{"b64": "A"}'])
def test_broken_json_is_told(typed):
    with pytest.raises(ClientError):
        arrays(signature("object"), {"x": typed})


def test_files(tmp_path):
    np.save(tmp_path / "x.npy", np.float32([[1], [2]]))
    np.save(tmp_path / "wide.npy", np.float64([[1]]))
    (tmp_path / "x.json").write_text("[[1], [2]]")
    (tmp_path / "note.txt").write_text("hello")
    for name in ("x.npy", "x.json"):
        np.testing.assert_array_equal(arrays(signature(), {"x": f"@{tmp_path / name}"})["x"], [[1], [2]])
    assert arrays(signature("object", (None,)), {"x": f"@{tmp_path / 'note.txt'}"})["x"].tolist() == [b"hello"]
    for name, says in [("wide.npy", "float64"), ("note.txt", "float32"), ("none.npy", "No such file")]:
        with pytest.raises(ClientError, match=says):
            arrays(signature(), {"x": f"@{tmp_path / name}"})


def test_a_pickle_is_no_array(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ClientError, match="cannot be read"):
        arrays(signature("object"), {"x": f"@{tmp_path / 'x.npy'}"})


def test_names_are_checked_and_defaults_may_be_left_out():
    check_names(signature(), {"x"})
    check_names(signature(x="a default"), set())
    for given in (set(), {"y"}, {"x", "y"}):
        with pytest.raises(ClientError, match=r"x float32 \[any, 1\]"):
            check_names(signature(), given)
