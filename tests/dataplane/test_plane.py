"""The calls on arrays: which checks, in which order, in whose words."""

import numpy as np
import pytest
from dataplane.numpy_model import CLASSIFY, REGRESS, NumpyModel, Serving, example, half_plus_two

from appliance.dataplane import Code, ModelSpec, RequestError, Task
from appliance.dataplane.metrics import REQUEST_EXAMPLE_COUNT_TOTAL
from appliance.dataplane.predict import TensorInputs
from appliance.protos import message


def floats(*values):
    return np.array(values, "float32")


@pytest.fixture
def model():
    return NumpyModel(half_plus_two(), uncallable={"sparse"})


@pytest.fixture
def serving(model):
    return Serving({"half": {7: model}, "other": {1: model}}, {"half": {"stable": 7, "gone": 3}})


@pytest.fixture
def refused(serving):
    """What a call is refused with."""

    def call(ask, *arguments, **options):
        with pytest.raises(RequestError) as error:
            ask(*arguments, **options)
        return error.value.code, str(error.value)

    return call


def test_an_answer_names_the_version_and_the_signature(serving):
    found = serving.predict({"x": floats(2)})

    assert (found.id.name, found.id.version, found.signature) == ("half", 7, "serving_default")
    assert found.outputs["y"].tolist() == [3]
    assert set(found.outputs) == {"y", "twice"}


def test_only_the_outputs_asked_for_are_computed(serving, model):
    found = serving.predict({"x": floats(2)}, output_filter=["twice"])

    assert {alias: array.tolist() for alias, array in found.outputs.items()} == {"twice": [4]}
    assert model.calls == [("serving_default", ["twice"])]


def test_a_label_leads_to_its_version(serving):
    assert serving.predict({"x": floats(2)}, label="stable").id.version == 7


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        (ModelSpec(""), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (ModelSpec("foo"), Code.NOT_FOUND, "Servable not found for request: Latest(foo)"),
        (ModelSpec("half", 9), Code.NOT_FOUND, "Servable not found for request: Specific(half, 9)"),
        (ModelSpec("half", -1), Code.NOT_FOUND, "Servable not found for request: Specific(half, -1)"),
        (ModelSpec("half", label="gone"), Code.NOT_FOUND, "Servable not found for request: Specific(half, 3)"),
        (ModelSpec("half", label="nope"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: nope"),
        (ModelSpec("foo", label="nope"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: nope"),
        (ModelSpec("half", label=""), Code.INVALID_ARGUMENT, "Unrecognized servable version label: "),
    ],
)
def test_what_is_not_served_is_said_in_words_that_clients_know(serving, refused, spec, code, text):
    def borrow():
        with serving.plane.borrow(spec):
            pass

    assert refused(borrow) == (code, text)


@pytest.mark.parametrize(
    ("inputs", "key", "wanted", "code", "text"),
    [
        ({"x": 1}, "nope", (), Code.FAILED_PRECONDITION, 'Serving signature key "nope" not found.'),
        (
            {},
            "",
            (),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"z": 1, "b": 2, "a": 3},
            "two_inputs",
            (),
            Code.INVALID_ARGUMENT,
            (
                "input size does not match signature: 3!=2 len({a,b,z}) != len({a,b}). Sent extra: {z}. "
                "Missing but required: {}."
            ),
        ),
        (
            {"z": 1},
            "",
            (),
            Code.INVALID_ARGUMENT,
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default value provided. Inputs "
                "expected to be in the request {z}, or default input alias set: "
            ),
        ),
        (
            {"z": 1},
            "with_default",
            (),
            Code.INVALID_ARGUMENT,
            "Inputs contains invalid name. Used request inputs: , request input: z",
        ),
        ({"x": 1, "z": 1}, "with_default", (), Code.INVALID_ARGUMENT, None),
        (
            {"x": 1},
            "",
            ["o"],
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: o Outputs expected to be in the set {twice,y}.",
        ),
        ({"x": 1}, "", ["y", "y"], Code.INVALID_ARGUMENT, "duplicate output tensor alias: y"),
        ({"x": np.array([1])}, "", (), Code.INVALID_ARGUMENT, "Expects arg[0] to be float but int64 is provided"),
        (
            {"x": np.array([b"a"], object)},
            "",
            (),
            Code.INVALID_ARGUMENT,
            "Expects arg[0] to be float but string is provided",
        ),
        ({"x": 1}, "sparse", (), Code.UNIMPLEMENTED, None),
    ],
)
def test_a_wrong_prediction_is_refused_in_words_that_clients_know(
    serving, refused, model, inputs, key, wanted, code, text
):
    arrays = {alias: value if isinstance(value, np.ndarray) else floats(value) for alias, value in inputs.items()}

    found = refused(serving.predict, arrays, key, wanted)

    assert found[0] is code
    assert text is None or found[1] == text
    assert model.calls == []


def test_defaults_stand_for_what_is_left_out(serving):
    assert serving.predict({}, "with_default").outputs["y"].tolist() == [2]
    assert serving.predict({"x": floats(2)}, "with_default").outputs["y"].tolist() == [3]


def test_a_tensor_that_cannot_be_read_is_named_after_what_comes_before(serving, refused):
    broken = message("tensorflow.TensorProto")(dtype=1, tensor_content=b"123")

    assert refused(serving.predict, TensorInputs({"x": broken}))[1].startswith("tensor parsing error: x")
    assert refused(serving.predict, TensorInputs({"x": broken, "y": broken}))[1].startswith("input size does not match")
    assert refused(serving.predict, TensorInputs({"z": broken}))[1].startswith("Signature input alias: x")


def test_method_names_are_checked_where_that_is_asked_for(model, refused):
    serving = Serving({"half": {7: model}}, check_method_names=True)
    with serving.plane.borrow(ModelSpec("half")) as borrowed:
        assert refused(serving.plane.predict, borrowed, "strange_method", {"x": floats(2)}) == (
            Code.INTERNAL,
            (
                "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
                "tensorflow/serving/classify, tensorflow/serving/regress}. Was: somebody/else"
            ),
        )
        assert refused(serving.plane.classify, borrowed, "", [example(x=2)]) == (
            Code.INVALID_ARGUMENT,
            (
                "Expected classification signature method_name to be tensorflow/serving/classify. "
                "Was: tensorflow/serving/predict"
            ),
        )
        assert refused(serving.plane.regress, borrowed, "classify", [example(x=2)])[1].startswith(
            "Expected regression signature method_name to be tensorflow/serving/regress."
        )
        assert serving.plane.regress(borrowed, "regress", [example(x=2)]).values == [5]


def test_without_the_check_a_signature_of_any_method_predicts(serving):
    assert serving.predict({"x": floats(2)}, "strange_method").outputs["y"].tolist() == [3]


@pytest.fixture
def borrowed(serving):
    with serving.plane.borrow(ModelSpec("half")) as one:
        yield one


def test_classes_come_with_labels_and_scores_as_far_as_there_are_any(serving, borrowed):
    two = [example(x=2), example(x=20)]

    assert serving.plane.classify(borrowed, "classify", two).examples == [[("", 3.0)], [("", 12.0)]]
    assert serving.plane.classify(borrowed, "classes_only", two[:1]).examples == [[("car", 0.0), ("bike", 0.0)]]
    found = serving.plane.classify(borrowed, "labelled", two)
    assert found.examples == [[("car", 2.0), ("bike", -2.0)], [("car", 20.0), ("bike", -20.0)]]
    assert (found.id.version, found.signature) == (7, "labelled")


def test_values_come_from_a_column_or_a_list(serving, borrowed):
    two = [example(x=2), example(x=20)]

    assert serving.plane.regress(borrowed, "regress", two).values == [5, 23]
    assert serving.plane.regress(borrowed, "regress_flat", two).values == [2, 20]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("nope", "No signature was found with the name: nope"),
        ("", "No classification inputs found in SignatureDef: inputs {"),
        ("two_inputs", "Expected one input Tensor."),
        ("three_outputs", "Expected one or two output Tensors, found 3"),
        ("no_scores", 'Expected classification signature outputs to contain at least one of "classes" or "scores". '),
        ("flat_scores", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("int_scores", "Expected scores Tensor of DT_FLOAT. Got: DT_INT32"),
        ("few_scores", "Expected scores output batch size of 2. Got: 1"),
        ("uneven", "Expected classes output batch size of 2. Got: 1"),
    ],
)
def test_a_wrong_classification_is_refused_in_words_that_clients_know(serving, borrowed, refused, key, text):
    code, found = refused(serving.plane.classify, borrowed, key, [example(x=2), example(x=3)])

    assert code is Code.INVALID_ARGUMENT
    assert found.startswith(text)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("nope", "No signature was found with the name: nope"),
        ("two_inputs", "Expected one input Tensor."),
        ("", "Expected one output Tensor."),
        ("classify", "No regression outputs found in SignatureDef: inputs {"),
        ("regress_wide", "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,3]"),
        ("regress_few", "Input batch size did not match output batch size: 2 vs. 1"),
        ("regress_floats", "Expects arg[0] to be float but string is provided"),
    ],
)
def test_a_wrong_regression_is_refused_in_words_that_clients_know(serving, borrowed, refused, key, text):
    code, found = refused(serving.plane.regress, borrowed, key, [example(x=2), example(x=3)])

    assert code is Code.INVALID_ARGUMENT
    assert found.startswith(text)


def test_labels_and_scores_of_different_numbers_are_refused(serving, borrowed, refused):
    found = refused(serving.plane.classify, borrowed, "uneven", [example(x=2)])

    assert found == (
        Code.INVALID_ARGUMENT,
        "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
    )


def test_a_double_is_no_regression(serving, borrowed, refused):
    assert refused(serving.plane.regress, borrowed, "regress_double", [example(x=2)])[1] == (
        "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"
    )


def test_no_examples_are_told_of_after_a_wrong_signature(serving, borrowed, refused):
    assert refused(serving.plane.classify, borrowed, "classify", []) == (Code.INVALID_ARGUMENT, "Input is empty.")
    assert refused(serving.plane.regress, borrowed, "nope", [])[1].startswith("No signature was found")


def task(key, method=REGRESS, name="half", **spec):
    return Task(ModelSpec(name, signature=key, **spec), method)


def test_several_questions_are_answered_in_one_pass_and_in_their_order(serving, model):
    found = serving.plane.multi_inference([task("regress"), task("classify", CLASSIFY)], [example(x=2)])

    assert found[0].values == [5]
    assert found[1].examples == [[("", 3.0)]]
    assert [one.signature for one in found] == ["regress", "classify"]
    assert model.calls == [(("regress", "classify"), None)]
    assert serving.metrics.first_cells([REQUEST_EXAMPLE_COUNT_TOTAL]) == {REQUEST_EXAMPLE_COUNT_TOTAL: 1}


def test_questions_that_read_other_tensors_are_answered_too(serving):
    found = serving.plane.multi_inference([task("regress"), task("other_tensor")], [example(x=2)])

    assert [one.values for one in found] == [[5], [2]]


@pytest.mark.parametrize(
    ("tasks", "code", "text"),
    [
        ([], Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        ([task("regress", name="")], Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        ([task("regress"), task("x", name="")], Code.INVALID_ARGUMENT, "Found ModelSpec with an empty model name."),
        (
            [task("regress"), task("regress", name="other")],
            Code.INVALID_ARGUMENT,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ([task("regress")] * 2, Code.INVALID_ARGUMENT, "Duplicate evaluation of signature: regress"),
        ([task("nope")], Code.INVALID_ARGUMENT, "Requested signature not found in model graph: nope"),
        (
            [task("", "tensorflow/serving/predict")],
            Code.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([task("regress", name="foo")], Code.NOT_FOUND, "Servable not found for request: Latest(foo)"),
    ],
)
def test_wrong_questions_are_refused_in_words_that_clients_know(serving, refused, tasks, code, text):
    assert refused(serving.plane.multi_inference, tasks, [example(x=2)]) == (code, text)


def test_no_examples_are_no_question(serving, refused):
    assert refused(serving.plane.multi_inference, [task("regress")], []) == (Code.INVALID_ARGUMENT, "Input is empty.")


def test_a_deadline_that_has_passed_is_told_and_nothing_is_run(serving, model, borrowed, refused):
    found = refused(serving.plane.predict, borrowed, "", {"x": floats(2)}, deadline_s=1.0)

    assert found[0] is Code.DEADLINE_EXCEEDED
    assert model.calls == []


def test_states_are_told_newest_first_and_their_absence_in_words_that_clients_know(serving, model, refused):
    serving.aspire("half", {7: model, 8: None})

    assert [state.id.version for state in serving.plane.states("half")] == [8, 7]
    assert [state.id.version for state in serving.plane.states("half", 7)] == [7]
    assert refused(serving.plane.states, "foo") == (Code.NOT_FOUND, "Could not find any versions of model foo")
    assert refused(serving.plane.states, "") == (Code.NOT_FOUND, "Could not find any versions of model ")
    assert refused(serving.plane.states, "half", 9) == (Code.NOT_FOUND, "Could not find version 9 of model half")
