"""Labels change in the text of a configuration; all else stays, comments too."""

import pytest

from appliance.client.errors import ClientError
from appliance.client.labels import relabelled

TEXT = """# the line's models
model_config_list: {
  config {
    name: "surface"  # housing A
    base_path: "/srv/models/surface"
    model_platform: 'tensorflow'
    model_version_policy { specific { versions: 6 versions: 7 } }
    version_labels { key: "stable" value: 6 }  # since May
    version_labels: < key: 'canary', value: 7 >
  }
  config { name: "depth" base_path: "/srv/models/depth#2" model_platform: "tensorflow" }
}
"""


def test_a_label_moves_and_nothing_else_does():
    text, config = relabelled(TEXT, "surface", {"stable": 7}, [])
    assert text == TEXT.replace('"stable" value: 6', '"stable" value: 7')
    assert config.model_config_list.config[0].version_labels == {"stable": 7, "canary": 7}


def test_a_new_label_gets_a_line_of_its_own():
    text, _ = relabelled(TEXT, "surface", {"old": 6}, [])
    line = '    version_labels { key: "old" value: 6 }\n'
    assert line in text
    assert text.replace(line, "") == TEXT


def test_a_model_on_one_line_stays_on_one_line():
    text, config = relabelled(TEXT, "depth", {"stable": 1}, [])
    assert len(text.splitlines()) == len(TEXT.splitlines())
    assert config.model_config_list.config[1].version_labels == {"stable": 1}


def test_a_label_that_is_taken_away_takes_its_line_along():
    text, _ = relabelled(TEXT, "surface", {}, ["canary"])
    assert text == TEXT.replace("    version_labels: < key: 'canary', value: 7 >\n", "")


def test_several_at_once():
    _, config = relabelled(TEXT, "surface", {"stable": 7, "next": 7}, ["canary"])
    assert config.model_config_list.config[0].version_labels == {"stable": 7, "next": 7}


@pytest.mark.parametrize(
    ("name", "wanted", "removed", "says"),
    [
        ("nope", {"stable": 1}, [], "depth, surface"),
        ("surface", {}, ["beta"], "canary, stable"),
        ("surface", {'a"b': 1}, [], "cannot be a label"),
    ],
)
def test_what_is_not_there_is_told(name, wanted, removed, says):
    with pytest.raises(ClientError, match=says):
        relabelled(TEXT, name, wanted, removed)


def test_a_text_that_is_not_understood_is_left_alone():
    text = 'model_config_list { config: [{ name: "a" "b" base_path: "/b" model_platform: "tensorflow" }] }'
    with pytest.raises(ClientError, match="by hand"):
        relabelled(text, "ab", {"stable": 1}, [])
