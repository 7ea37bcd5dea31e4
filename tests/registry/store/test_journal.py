"""What was saved is what is read, whole; the history is bounded."""

import pytest

from appliance.registry.errors import StoreError


def test_saved_is_read_also_by_the_next_process(store):
    content = {"state": "probation", "text": "größer", "none": None, "n": [1, 2.5]}
    store.journal.save("deployment", content)
    assert store.journal.load("facts") is None
    store.close()
    store.open()
    assert store.journal.load("deployment") == content
    store.journal.erase("deployment")
    store.journal.erase("deployment")
    assert store.journal.load("deployment") is None


def test_what_is_too_long_is_not_written(store):
    store.journal.save("facts", {"a": 1})
    with pytest.raises(StoreError, match=r"facts has .* bytes and the journal takes"):
        store.journal.save("facts", {"a": "x" * 2_000_000})
    assert store.journal.load("facts") == {"a": 1}


@pytest.mark.parametrize("name", ["../facts", "a/b", "", "A", "x" * 65])
def test_a_name_that_climbs_out_is_a_bug(store, name):
    with pytest.raises(RuntimeError, match="is no name"):
        store.journal.save(name, {})


def test_the_history_has_the_newest_first_each_once_and_not_too_many(store):
    for number in range(60):
        store.journal.archive({"id": str(number), "state": "failed"})
    store.journal.archive({"id": "30", "state": "success"})
    history = store.journal.history()
    assert [one["id"] for one in history[:2]] == ["30", "59"]
    assert history[0]["state"] == "success"
    assert len(history) == len({one["id"] for one in history}) == 50
    assert store.journal.history(3) == history[:3]


def test_long_reports_shorten_the_history(store):
    for number in range(8):
        store.journal.archive({"id": str(number), "report": "x" * 300_000})
    assert [one["id"] for one in store.journal.history()] == ["7", "6", "5"]
