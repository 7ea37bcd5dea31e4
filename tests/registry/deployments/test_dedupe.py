import json

import pytest

from appliance.errors import ApplianceError
from appliance.registry.deployments.dedupe import REMEMBERED_MAX, Answers, KeyConflict

DAY_S = 86_400.0


def test_the_same_key_and_body_get_the_first_answer():
    answers = Answers()
    assert answers.recall("k", b"body", 0) is None
    answers.remember("k", b"body", {"id": 1}, 0)
    answers.remember("k", b"body", {"id": 2}, 1)
    assert answers.recall("k", b"body", 5) == {"id": 1}


def test_the_same_key_with_another_body_is_a_conflict():
    answers = Answers()
    answers.remember("k", b"body", {"id": 1}, 0)
    with pytest.raises(KeyConflict, match="'k' was used for another request"):
        answers.recall("k", b"other", 5)


def test_after_a_day_it_is_forgotten():
    answers = Answers()
    answers.remember("k", b"body", {"id": 1}, 0)
    assert answers.recall("k", b"body", DAY_S) == {"id": 1}
    assert answers.recall("k", b"other", DAY_S + 1) is None


def test_a_clock_that_went_back_forgets_nothing():
    answers = Answers()
    answers.remember("k", b"body", {"id": 1}, 1e9)
    assert answers.recall("k", b"body", 0) == {"id": 1}


def test_of_too_many_the_oldest_go():
    answers = Answers()
    for number in range(REMEMBERED_MAX + 5):
        answers.remember(f"k{number}", b"", number, number / 1000)
    assert answers.recall("k4", b"", 2) is None
    assert answers.recall("k5", b"", 2) == 5
    assert len(answers.as_json()) == REMEMBERED_MAX


def test_it_outlives_a_restart():
    answers = Answers()
    answers.remember("k", b"body", {"id": 1}, 7)
    again = Answers.from_json(json.loads(json.dumps(answers.as_json())))
    assert again.recall("k", b"body", 8) == {"id": 1}
    with pytest.raises(KeyConflict):
        again.recall("k", b"other", 8)


@pytest.mark.parametrize("key", ["", "x" * 129])
def test_a_key_has_its_limit(key):
    with pytest.raises(ApplianceError, match="1 to 128"):
        Answers().recall(key, b"", 0)
    assert Answers().recall("x" * 128, b"", 0) is None
