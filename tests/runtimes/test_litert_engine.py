"""LiteRT answers, a compiled copy for each that asks at once."""

import threading

import numpy as np
import pytest

from appliance.runtimes.description import describe
from appliance.runtimes.errors import InvalidInput, LoadRefused
from appliance.runtimes.litert.model import LiteRtModel
from appliance.runtimes.memory import give_back, resident_bytes
from appliance.runtimes.warmup import warm_up


def load(models, threads=1):
    return LiteRtModel(
        models / "classifier.tflite",
        describe(models / "classifier"),
        same_as={"same": "serving_default"},
        threads=threads,
        copies=2,
        engine_reason="a test's",
        digest="sha256:of-a-test",
    )


@pytest.fixture
def model(models):
    opened = load(models)
    yield opened
    opened.close()


@pytest.mark.parametrize("signature", ["serving_default", "same"])
def test_it_answers_as_tensorflow_does(model, expected, signature):
    found = model.predict({"image": expected["images"]}, signature)
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-5)


def test_every_signature_answers(model, expected):
    best = model.predict({"image": expected["images"]}, "best")["best"]
    assert best.tolist() == expected["scores"].argmax(-1).tolist()


def test_the_number_of_images_may_change_from_call_to_call(model, expected):
    bound = model.bind()
    for batch in (1, 3, 1, 5, 2):
        found = bound({"image": expected["images"][:batch]})["scores"]
        np.testing.assert_allclose(found, expected["scores"][:batch], atol=1e-5)


def test_two_threads_for_one_operation_answer_the_same(models, expected):
    model = load(models, threads=2)
    found = model.predict({"image": expected["images"]})
    model.close()
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-5)


def test_an_answer_belongs_to_its_asker(model, expected):
    bound = model.bind()
    first = bound({"image": expected["images"][:1]})["scores"]
    bound({"image": expected["images"][1:2]})
    np.testing.assert_allclose(first, expected["scores"][:1], atol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"image": np.zeros((1, 32, 32, 1), np.float32)}, "input 'image' is float32; the model takes uint8"),
        ({"image": np.zeros((1, 32, 31, 1), np.uint8)}, r"the model takes \[any, 32, 32, 1\]"),
        ({"picture": np.zeros((1, 32, 32, 1), np.uint8)}, r"given were \['picture'\]"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(model, expected, inputs, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        model.predict(inputs)
    assert model.predict({"image": expected["images"]})["scores"].shape == (5, 3)


def test_many_threads_share_few_copies_and_get_their_own_answers(model, expected):
    wrong: list[object] = []
    start = threading.Barrier(6)

    def call(number):
        start.wait(10)
        image = expected["images"][number % 5 : number % 5 + 1]
        for _ in range(200):
            found = model.predict({"image": image})["scores"]
            if not np.allclose(found, expected["scores"][number % 5], atol=1e-5):
                wrong.append((number, found))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert len(model._copies) == 2


def test_the_line_has_a_copy_for_itself_and_gives_it_back(model, expected):
    one = {"image": expected["images"][:1]}
    line = model.bind()
    own = line._copy
    model.predict(one)
    assert own not in model._free
    del line
    assert own in model._free
    assert len(model._copies) == 2


def test_whoever_asks_when_all_are_busy_waits_for_the_next(model, expected):
    one = {"image": expected["images"][:1]}
    bound = [model.bind(), model.bind()]
    answered = threading.Event()

    def ask():
        model.predict(one)
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert not answered.wait(0.2)
    bound.pop()
    assert answered.wait(10)
    thread.join(10)
    assert len(model._copies) == 2


def test_more_bound_calls_than_copies_get_copies_made(model, expected):
    bound = [model.bind() for _ in range(3)]
    for call in bound:
        call({"image": expected["images"][:1]})
    assert len(model._copies) == 3


def test_warming_up_uses_every_copy_and_makes_none(model):
    warm_up(model, copies=2, limit_s=10)
    assert len(model._copies) == 2
    assert len(model._free) == 2
    assert all(copy._calls for copy in model._copies)


def test_a_file_that_lacks_a_signature_is_refused(models):
    with pytest.raises(LoadRefused, match="no signature 'same'"):
        LiteRtModel(
            models / "classifier.tflite",
            describe(models / "classifier"),
            same_as={},
            threads=1,
            copies=1,
            engine_reason="",
            digest="",
        )


def test_a_file_of_another_model_is_refused(models):
    with pytest.raises(LoadRefused, match="the SavedModel says"):
        LiteRtModel(
            models / "classifier.tflite",
            describe(models / "affine"),
            same_as={},
            threads=1,
            copies=1,
            engine_reason="",
            digest="",
        )


def test_a_damaged_file_is_refused(models, tmp_path):
    damaged = tmp_path / "model.tflite"
    damaged.write_bytes((models / "classifier.tflite").read_bytes()[:500])
    with pytest.raises(LoadRefused, match=r"LiteRT cannot run .*model\.tflite"):
        LiteRtModel(
            damaged, describe(models / "classifier"), same_as={}, threads=1, copies=1, engine_reason="", digest=""
        )


def test_a_closed_model_is_a_bug_of_its_caller(models, expected):
    model = load(models)
    bound = model.bind()
    bound({"image": expected["images"]})
    model.close()
    for call in (model.predict, bound):
        with pytest.raises(RuntimeError, match="closed"):
            call({"image": expected["images"]})
    model.close()


def test_loading_again_and_again_takes_no_more_memory(models, expected):
    def some(count):
        for _ in range(count):
            model = load(models)
            model.predict({"image": expected["images"]})
            model.bind()({"image": expected["images"]})
            model.close()
        give_back()
        return resident_bytes()

    before = some(10)
    assert some(40) - before < 2 << 20
