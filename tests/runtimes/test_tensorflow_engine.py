"""TensorFlow's own libraries answer, without the Python package."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.runtimes.memory import give_back, resident_bytes


def test_a_model_answers_as_tensorflow_itself_does(opened, expected):
    found = opened("classifier").predict({"image": expected["images"]})
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-6)


def test_every_signature_answers(opened, expected):
    model = opened("classifier")
    best = model.predict({"image": expected["images"]}, "best")["best"]
    assert best.dtype == np.int64
    assert best.tolist() == expected["scores"].argmax(-1).tolist()


def test_serving_never_imports_tensorflow(models, tmp_path):
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from appliance.runtimes.config import RuntimeConfig\n"
        "from appliance.runtimes.loader import SavedModelLoader\n"
        "from appliance.serving import ServableId\n"
        "config = RuntimeConfig(cache=Path(sys.argv[2]), engines=['tensorflow-saved-model'])\n"
        "model = SavedModelLoader(Path(sys.argv[1]), config).load(ServableId('affine', 1))\n"
        "print(model.predict({'x': np.array([[1.0]], np.float32)})['y'][0, 0], 'tensorflow' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(models / "affine"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.split() == ["2.5", "False"]


@pytest.mark.parametrize("batch", [1, 3, 0, 2])
def test_the_number_of_images_may_change_from_call_to_call(opened, expected, batch):
    bound = opened("classifier").bind()
    bound({"image": expected["images"][:1]})
    found = bound({"image": expected["images"][:batch]})["scores"]
    assert found.shape == (batch, 3)
    np.testing.assert_allclose(found, expected["scores"][:batch], atol=1e-6)


def test_an_image_with_gaps_in_memory_is_read_right(opened, expected):
    doubled = expected["images"].repeat(2, axis=2)
    found = opened("classifier").predict({"image": doubled[:, :, ::2]})
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-6)


def test_text_and_truth_go_in_and_come_out(opened):
    model = opened("text")
    text = np.array([b"ok", "Stra\u00dfe \u00e4".encode(), b"long " * 20, b"", b"nul\0inside"], dtype=object)
    found = model.predict({"text": text, "shout": np.array([True, False, True, True, False])})
    assert found["text"].tolist() == [b"OK", text[1], b"LONG " * 20, b"", b"nul\0inside"]
    assert found["long"].tolist() == [False, True, True, False, True]
    assert found["long"].dtype == np.bool_


def test_large_answers_come_whole(opened):
    generator = np.random.default_rng(1)
    a, b = (generator.random((2, 64, 64, 3), dtype=np.float32) for _ in range(2))
    found = opened("wide").predict({"b": b, "a": a})
    np.testing.assert_array_equal(found["sum"], a + b)
    np.testing.assert_array_equal(found["product"], a * b)


def test_an_answer_stays_when_the_next_call_is_made(opened):
    bound = opened("affine").bind()
    first = bound({"x": np.array([[1.0]], np.float32)})["y"]
    bound({"x": np.array([[100.0]], np.float32)})
    assert first.tolist() == [[2.5]]


def test_a_model_that_remembers_an_input_does_not_see_it_change(opened):
    bound = opened("keeper").bind()
    first = np.full(64, 1.0, np.float32)
    bound({"x": first})
    first[...] = 50.0
    assert bound({"x": np.full(64, 2.0, np.float32)})["before"].tolist() == [1.0] * 64
    assert bound({"x": np.full(64, 3.0, np.float32)})["before"].tolist() == [2.0] * 64


def test_a_model_that_counts_goes_on_counting(opened):
    model = opened("counter")
    assert [float(model.predict({"delta": np.array(2.0, np.float32)})["count"]) for _ in range(3)] == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"image": np.zeros((1, 32, 32, 1), np.float32)}, "input 'image' is float32; the model takes uint8"),
        (
            {"image": np.zeros((1, 32, 31, 1), np.uint8)},
            r"input 'image' has shape \[1, 32, 31, 1\]; the model takes \[any, 32, 32, 1\]",
        ),
        ({"image": np.zeros((32, 32, 1), np.uint8)}, r"shape \[32, 32, 1\]"),
        ({"picture": np.zeros((1, 32, 32, 1), np.uint8)}, r"takes the inputs \['image'\]; given were \['picture'\]"),
        ({}, r"given were \[\]"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(opened, inputs, sentence):
    model = opened("classifier")
    with pytest.raises(InvalidInput, match=sentence):
        model.predict(inputs)
    assert model.predict({"image": np.zeros((1, 32, 32, 1), np.uint8)})["scores"].shape == (1, 3)


def test_one_wrong_input_of_two_leaves_the_call_usable(opened):
    bound = opened("wide").bind()
    good = np.ones((1, 64, 64, 3), np.float32)
    with pytest.raises(InvalidInput, match="'b' is float64"):
        bound({"a": good, "b": good.astype(np.float64)})
    assert bound({"a": good, "b": good})["sum"].max() == 2.0


def test_text_that_is_no_text_is_refused(opened):
    with pytest.raises(InvalidInput, match="a string input holds int"):
        opened("text").predict({"text": np.array([1], dtype=object), "shout": np.array([True])})


def test_an_unknown_signature_is_told_those_there_are(opened):
    with pytest.raises(InvalidInput, match="no signature 'worst'; it has best, same, serving_default"):
        opened("classifier").predict({}, "worst")


def test_a_model_that_fails_says_so_and_stays(opened):
    model = opened("failing")
    for _ in range(2):
        with pytest.raises((PredictError, InvalidInput), match="assertion failed"):
            model.predict({"x": np.zeros((1, 1), np.float32)})


def test_many_threads_get_their_own_answers(opened):
    model = opened("affine")
    wrong: list[object] = []
    start = threading.Barrier(8)

    def call(number):
        start.wait(10)
        for step in range(300):
            value = np.array([[number * 1000 + step]], np.float32)
            answer = model.predict({"x": value})["y"]
            if answer[0, 0] != value[0, 0] * 0.5 + 2:
                wrong.append((number, step, answer))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_the_work_is_done_on_the_callers_thread(opened):
    """So it has the caller's priority: the line's for the line, the lowest for a warm-up."""
    model = opened("wide")
    image = np.ones((64, 64, 64, 3), np.float32)
    model.predict({"a": image, "b": image})
    own, everybody = time.thread_time(), time.process_time()
    for _ in range(20):
        model.predict({"a": image, "b": image})
    own, everybody = time.thread_time() - own, time.process_time() - everybody
    assert own > 0.9 * everybody


def test_a_closed_model_is_a_bug_of_its_caller(opened):
    model = opened("affine")
    bound = model.bind()
    model.close()
    for call in (model.predict, bound):
        with pytest.raises(RuntimeError, match="closed"):
            call({"x": np.zeros((1, 1), np.float32)})
    model.close()


def test_calls_leave_no_memory_behind(opened):
    model, text = opened("wide"), opened("text")
    image = np.ones((1, 64, 64, 3), np.float32)
    words = np.array([b"a word that needs memory of its own" * 50] * 20, dtype=object)
    shout = np.ones(20, bool)

    def some(count):
        for _ in range(count):
            model.predict({"a": image, "b": image})
            text.predict({"text": words, "shout": shout})
        give_back()
        return resident_bytes()

    before = some(200)
    assert some(1000) - before < 4 << 20
