"""Prepared versions on disk: whole or not there, checked, and not more than there is room for."""

import os
import time
from pathlib import Path

import pytest

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.prepared import Prepared, PreparedCache, engine_file, key_of


@pytest.fixture
def cache(tmp_path):
    return PreparedCache(tmp_path / "cache", 10_000)


def place(cache, key, content=b"a graph"):
    with cache.staging() as staging:
        (staging / "graph.pb").write_bytes(content)
        record = Prepared(
            source_digest="sha256:1",
            engine="tensorflow-frozen",
            engine_reason="",
            file=engine_file(staging / "graph.pb"),
        )
        cache.place(staging, key, record)


def test_what_is_placed_is_found_again(cache):
    place(cache, "one")
    record, file = cache.find("one")
    assert record.engine == "tensorflow-frozen"
    assert file.read_bytes() == b"a graph"


def test_what_was_never_placed_is_not_found(cache):
    assert cache.find("one") is None


def test_nothing_is_there_before_it_is_placed(cache, tmp_path):
    with cache.staging() as staging:
        (staging / "graph.pb").write_bytes(b"half a graph")
        assert cache.find("one") is None
    assert list((tmp_path / "cache").iterdir()) == []


def damaged_content(entry):
    (entry / "graph.pb").write_bytes(b"A graph")


def cut_short(entry):
    (entry / "graph.pb").write_bytes(b"a gr")


def file_gone(entry):
    (entry / "graph.pb").unlink()


def record_is_no_json(entry):
    (entry / "prepared.json").write_text("{")


def record_of_another_schema(entry):
    record = entry / "prepared.json"
    record.write_text(record.read_text().replace('"schema_version": 1', '"schema_version": 2'))


def record_names_a_file_elsewhere(entry):
    record = entry / "prepared.json"
    record.write_text(record.read_text().replace("graph.pb", "../../graph.pb"))


@pytest.mark.parametrize(
    "damage",
    [
        damaged_content,
        cut_short,
        file_gone,
        record_is_no_json,
        record_of_another_schema,
        record_names_a_file_elsewhere,
    ],
)
def test_a_damaged_entry_is_removed_and_not_found(cache, tmp_path, damage):
    place(cache, "one")
    damage(tmp_path / "cache" / "one")
    assert cache.find("one") is None
    assert not (tmp_path / "cache" / "one").exists()


def test_the_longest_unused_makes_room(cache, tmp_path):
    for age_s, key in ((300, "oldest"), (200, "older")):
        place(cache, key, b"x" * 4_000)
        used = time.time() - age_s
        os.utime(tmp_path / "cache" / key, (used, used))
    cache.find("oldest")  # and so it is not the longest unused any more
    place(cache, "new", b"x" * 4_000)
    assert cache.find("older") is None
    assert cache.find("oldest") is not None
    assert cache.find("new") is not None


def test_an_entry_that_is_larger_than_the_room_stays_until_the_next(cache):
    place(cache, "large", b"x" * 20_000)
    assert cache.find("large") is not None


def test_an_entry_is_replaced_whole(cache):
    place(cache, "one", b"first")
    place(cache, "one", b"second")
    assert cache.find("one")[1].read_bytes() == b"second"


def test_what_a_killed_process_left_is_removed(cache, tmp_path):
    abandoned = tmp_path / "cache" / ".staging-999999999-x"
    abandoned.mkdir(parents=True)
    place(cache, "one")
    assert not abandoned.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 2},
        {"engines": ("litert",)},
        {"gpu": {}},
        {"tolerance_absolute": 1e-3},
        {"tolerance_relative": 1e-3},
    ],
)
def test_other_settings_are_another_key(change):
    config = RuntimeConfig(cache=Path("/c"))
    assert key_of("sha256:1", RuntimeConfig(cache=Path("/c"), **change)) != key_of("sha256:1", config)


def test_another_model_is_another_key_and_another_place_is_not():
    config = RuntimeConfig(cache=Path("/c"))
    assert key_of("sha256:2", config) != key_of("sha256:1", config)
    assert key_of("sha256:1", RuntimeConfig(cache=Path("/d"), cache_max=1)) == key_of("sha256:1", config)
