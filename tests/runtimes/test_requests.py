"""Requests from outside: whatever shape, only the outputs that are wanted, and TensorFlow's own words."""

import threading

import numpy as np
import pytest

from appliance.runtimes.errors import InvalidInput, PredictError

NUMBERS = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float64"]
NUMBERS += ["complex64", "complex128"]


def floats(*values):
    return np.array(values, np.float32)


def test_a_shape_that_the_signature_does_not_have_simply_runs(opened):
    assert opened("affine").run("serving_default", {"x": floats(2.0, 4.0)})["y"].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_every_element_type_goes_in_and_comes_out(opened, dtype, shape):
    given = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    found = opened("echo").run(dtype, {"x": given})["y"]
    assert (found.dtype, found.shape) == (given.dtype, given.shape)
    np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize("shape", [(), (0,), (2, 2)])
def test_text_of_any_shape_goes_in_and_comes_out(opened, shape):
    given = np.full(shape, b"nul\0 and \xff", dtype=object)
    found = opened("echo").run("string", {"x": given})["y"]
    assert found.shape == shape
    assert found.tolist() == given.tolist()


def test_only_what_is_wanted_is_computed(opened):
    model = opened("wide")
    a, b = np.full((1, 64, 64, 3), 3, np.float32), np.full((1, 64, 64, 3), 5, np.float32)
    assert {
        alias: found.max() for alias, found in model.run("serving_default", {"a": a, "b": b}, ["product"]).items()
    } == {"product": 15.0}
    assert list(model.run("serving_default", {"b": b, "a": a}, ["sum", "product"])) == ["sum", "product"]
    assert set(model.run("serving_default", {"a": a, "b": b})) == {"product", "sum"}


@pytest.mark.parametrize(
    ("signature", "given", "sentence"),
    [
        ("serving_default", np.array([b"a"], object), "Expects arg[0] to be float but string is provided"),
        ("serving_default", np.array([1], np.int32), "Expects arg[0] to be float but int32 is provided"),
        ("string", np.array([1.0], np.float16), "Expects arg[0] to be string but half is provided"),
        ("float16", np.array([1.0]), "Expects arg[0] to be half but double is provided"),
    ],
)
def test_another_element_type_is_told_in_tensorflows_words(opened, signature, given, sentence):
    model = opened("echo")
    with pytest.raises(InvalidInput) as raised:
        model.run(signature, {"x": given})
    assert str(raised.value) == sentence


def test_an_element_type_that_tensorflow_lacks_is_refused(opened):
    with pytest.raises(InvalidInput, match="no tensors of >f4"):
        opened("affine").run("serving_default", {"x": np.array([1.0], ">f4")})


def test_what_a_graph_says_is_passed_on_to_the_letter(opened):
    with pytest.raises(InvalidInput) as raised:
        opened("wide").run(
            "serving_default", {"a": np.ones((1, 64, 64, 3), np.float32), "b": np.ones((1, 2, 3, 4), np.float32)}
        )
    said = str(raised.value)
    assert said.startswith("Incompatible shapes: [1,64,64,3] vs. [1,2,3,4]")
    assert "{{node " in said


def test_a_graphs_own_code_is_kept(opened):
    with pytest.raises(PredictError, match="No such file") as raised:
        opened("reader").run("serving_default", {"name": np.array(b"/nowhere/at/all", object)})
    assert raised.value.code == 5


def test_a_signature_without_inputs_does_what_it_does(opened):
    model = opened("ticker")
    assert [float(model.run("tick", {})["count"]) for _ in range(3)] == [1.0, 2.0, 3.0]


def test_nothing_and_a_single_number_come_back(opened):
    found = opened("ticker").run("serving_default", {"x": floats(1.0, 2.0)})
    assert (found["none"].shape, found["sum"].shape, float(found["sum"])) == ((0,), (), 3.0)


def test_several_signatures_answer_together(opened):
    found = opened("twins").run_together(["half", "double"], {"x": floats(3.0, 4.0)})
    assert {key: outputs["y"].tolist() for key, outputs in found.items()} == {"half": [1.5, 2.0], "double": [6.0, 8.0]}


def test_one_signature_answers_together_with_none(opened):
    model = opened("affine")
    assert model.run_together(["serving_default"], {"x": floats(2.0)})["serving_default"]["y"].tolist() == [3.0]


def test_signatures_of_other_inputs_do_not_answer_together(opened):
    with pytest.raises(InvalidInput, match="do not have the same input tensors"):
        opened("echo").run_together(["serving_default", "int32"], {"x": floats(1.0)})


def test_the_lines_own_way_stays_strict_beside_it(opened):
    model = opened("affine")
    model.run("serving_default", {"x": floats(2.0)})
    with pytest.raises(InvalidInput, match=r"shape \[1\]; the model takes \[any, 1\]"):
        model.predict({"x": floats(2.0)})


def test_a_stranger_who_asks_for_ever_other_outputs_is_answered_and_not_remembered(opened):
    model = opened("affine")
    for times in range(1, 300):
        assert model.run("serving_default", {"x": floats(2.0)}, ["y"] * times)["y"].tolist() == [3.0]
    assert len(model._loose) <= 256


def test_threads_that_ask_for_different_things_get_their_own_answers(opened):
    model = opened("wide")
    wrong: list[object] = []
    start = threading.Barrier(8)

    def ask(number):
        start.wait(10)
        for step in range(60):
            a = np.full((1, 1 + step % 3, 2, 3), number * 100 + step, np.float32)
            b = np.full_like(a, 2.0)
            if number % 2:
                found = {"sum": model.run("serving_default", {"a": a, "b": b}, ["sum"])["sum"], "product": a * b}
            else:
                found = model.run_together(["serving_default"], {"a": a, "b": b})["serving_default"]
            if not (np.array_equal(found["sum"], a + b) and np.array_equal(found["product"], a * b)):
                wrong.append((number, step, found))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
