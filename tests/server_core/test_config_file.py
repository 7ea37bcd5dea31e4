"""The configuration's file, looked at again and again."""

import logging
import threading

import pytest

from appliance.dataplane.errors import Code, RequestError
from appliance.server_core import ConfigFile


@pytest.fixture
def file(tmp_path):
    return tmp_path / "models.config"


GOOD = 'model_config_list { config { name: "%s" base_path: "/x" model_platform: "tensorflow" } }'


def names(message):
    return [each.name for each in message.model_config_list.config]


def test_a_changed_text_is_applied_once(file):
    applied = []
    config = ConfigFile(file, applied.append)
    file.write_text(GOOD % "one")
    assert names(config.read()) == ["one"]
    config.apply()
    assert applied == []
    file.write_text(GOOD % "two")
    config.apply()
    config.apply()
    assert [names(each) for each in applied] == [["two"]]
    config.apply(forced=True)
    assert len(applied) == 2


@pytest.mark.parametrize("content", [b"improperly formatted file", b"\xff\xfe", b"model_config_list { config {"])
def test_a_broken_text_ends_the_start_and_later_changes_nothing(file, caplog, content):
    applied = []
    config = ConfigFile(file, applied.append)
    file.write_bytes(content)
    with pytest.raises(RequestError, match=r"Error parsing text-format tensorflow\.serving\.ModelServerConfig"):
        config.read()
    for _ in range(3):
        config.apply()
    assert applied == []
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "what serves goes on serving" in caplog.text


def test_a_file_that_went_away_is_reported_once_and_found_again(file, caplog):
    applied = []
    config = ConfigFile(file, applied.append)
    file.write_text(GOOD % "one")
    config.read()
    file.unlink()
    config.apply()
    config.apply()
    assert caplog.text.count("cannot be read") == 1
    file.write_text(GOOD % "two")
    config.apply()
    assert [names(each) for each in applied] == [["two"]]


def test_a_text_that_was_refused_is_not_tried_at_every_look(file):
    tried = []

    def refuse(message):
        tried.append(message)
        raise RequestError(Code.UNKNOWN, "its model does not load")

    config = ConfigFile(file, refuse)
    file.write_text(GOOD % "one")
    for _ in range(5):
        config.apply()
    assert len(tried) == 1
    config.apply(forced=True)
    assert len(tried) == 2


def test_it_looks_until_told_to_stop(file):
    file.write_text(GOOD % "one")
    applied, stop = threading.Event(), threading.Event()
    watching = threading.Thread(target=ConfigFile(file, lambda _: applied.set()).watch, args=(stop, 0.01))
    watching.start()
    assert applied.wait(10)
    stop.set()
    watching.join(10)
    assert not watching.is_alive()
