"""Every rule of Sparkplug B 3.0 that binds an edge node, on MQTT 5 and on 3.1.1."""

import importlib
import os
import re
import time
from pathlib import Path

import pytest
from running import REPOSITORY
from sparkplug import rules, scenario
from sparkplug.conftest import hurry

_PAGE = REPOSITORY.parent / "shared" / "conformance" / "sparkplug_edge_node_checks.md"


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A day on MQTT 5."""
    return record(tmp_path_factory.mktemp("day"), "5")


def record(folder, protocol):
    """A day of the box; its people live in Tokyo, and its messages in UTC."""
    zone = os.environ.get("TZ")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        recorded = scenario.record(folder, protocol)
    assert os.environ.get("TZ") == zone
    time.tzset()
    return recorded


@pytest.mark.parametrize("tck_id", sorted(rules.RULES))
def test_rule(recording, tck_id):
    rules.RULES[tck_id](recording)


@pytest.mark.slow
def test_every_rule_on_mqtt_3_1_1(tmp_path):
    recording = record(tmp_path, "3.1.1")
    assert [tck_id for tck_id, tried in rules.RULES.items() if not is_kept(tried, recording)] == []


def is_kept(tried, recording):
    try:
        tried(recording)
    except AssertionError:
        return False
    return True


def test_no_rule_is_in_two_places():
    there = [set(rules.RULES), set(rules.ELSEWHERE), set(rules.NOT_APPLICABLE)]
    assert sum(map(len, there)) == len(set.union(*there))


@pytest.mark.parametrize("where", sorted(set(rules.ELSEWHERE.values())))
def test_rules_that_are_tried_elsewhere_are(where):
    module, test = where.split(".")
    assert callable(getattr(importlib.import_module(f"sparkplug.{module}"), test))


def test_every_rule_of_the_page_has_a_test_or_a_reason():
    page = Path(_PAGE)
    if not page.exists():
        pytest.skip(f"{page} is not here: whether every rule has a test is NOT checked")
    rows = re.findall(r"^\| \d+ \|([^|]*)\|", page.read_text(), re.MULTILINE)
    ids = [one for row in rows for one in re.findall(r"`([^`]+)`", row)]
    assert len(ids) == len(set(ids)) >= 200
    missing = [
        one for one in ids if one not in rules.RULES and one not in rules.ELSEWHERE and rules.why_not(one) is None
    ]
    assert missing == []
    assert (set(rules.RULES) | set(rules.ELSEWHERE) | set(rules.NOT_APPLICABLE)) - set(ids) == set()
