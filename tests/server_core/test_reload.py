"""A reload is applied whole or not at all."""

import threading

import pytest
from running import until

from appliance.protos import parse_text
from appliance.serving import NotServing


@pytest.fixture
def box(running):
    box = running()
    for name in ("a", "b"):
        box.version(name, 1, f"{name}1")
    box.core.start(box.list(box.entry("a")))
    return box


def test_what_a_reload_adds_serves_when_it_returns(box):
    box.core.reload(box.list(box.entry("a"), box.entry("b")))
    assert box.answer("b") == (1, "b1")
    assert box.core.models() == ["a", "b"]


def test_what_a_reload_leaves_out_is_unloaded_and_can_come_back(box):
    box.core.reload(box.list())
    until(lambda: _is_gone(box, "a"), "a to be unloaded", 10)
    for _ in range(20):  # at whatever point of its way out
        box.core.reload(box.list(box.entry("a")))
        assert box.answer("a") == (1, "a1")
        box.core.reload(box.list())


def _is_gone(box, name):
    try:
        box.answer(name)
    except NotServing:
        return True
    return False


def test_a_changed_base_path_serves_the_versions_that_are_there(box):
    box.version("elsewhere", 7, "moved")
    box.core.reload(box.list(box.entry("a", "elsewhere")))
    until(lambda: box.answer("a") == (7, "moved"), "the version of the new path", 10)


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("latest { num_versions: 2 }", [3, 2]),
        ("latest {}", [3]),
        ("all {}", [3, 2, 1]),
        ("specific { versions: 2 }", [2]),
    ],
)
def test_a_version_policy_is_followed(box, policy, versions):
    box.version("a", 2)
    box.version("a", 3)
    box.core.reload(box.list(box.entry("a", more=f'model_platform: "tensorflow" model_version_policy {{ {policy} }}')))
    until(
        lambda: [s.id.version for s in box.manager.states("a") if s.manager_state.value == "AVAILABLE"] == versions,
        "just these versions",
        10,
    )


INVALID = [
    (['config { name: "x" base_path: "/x" model_platform: "tensorflow" }'] * 2, "Illegal to list model x multiple"),
    (['config { base_path: "/x" model_platform: "tensorflow" }'], "without a name"),
    (
        ['config { name: "x" base_path: "x/y" model_platform: "tensorflow" }'],
        "Expected model x to have an absolute path or URI; got base_path()=x/y",
    ),
    (['config { name: "x" base_path: "s3://x/y" model_platform: "tensorflow" }'], "local disks only"),
    (
        ['config { name: "x" base_path: "/x" }'],
        (
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform, model name is x"
        ),
    ),
    (
        ['config { name: "x" base_path: "/x" model_platform: "tensorflow" model_type: TENSORFLOW }'],
        (
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform, model name is x"
        ),
    ),
    (
        ['config { name: "x" base_path: "/x" model_type: OTHER }'],
        "ModelServerConfig::model_type choice 2 not supported.",
    ),
    (
        ['config { name: "x" base_path: "/x" model_platform: "torch" }'],
        "Model x requests unsupported platform torch",
    ),
    (
        ['config { name: "a" base_path: "/x" model_platform: "other" }'],
        "Illegal to change a model's platform. For model a platform was tensorflow and new platform requested is other",
    ),
]


@pytest.mark.parametrize(("entries", "sentence"), INVALID)
def test_a_wrong_configuration_is_refused_before_anything_of_it_is_applied(box, entries, sentence):
    code, text = box.refusal(box.entry("b"), *entries)
    assert code == "INVALID_ARGUMENT"
    assert sentence in text
    assert box.answer("a") == (1, "a1")
    assert _is_gone(box, "b")
    box.core.reload(box.list(box.entry("a"), box.entry("b")))  # nothing is poisoned
    assert box.answer("b") == (1, "b1")


def test_a_reload_whose_new_model_does_not_load_leaves_everything_as_it_was(box):
    box.version("broken", 4, "broken")
    box.version("elsewhere", 7, "moved")
    code, text = box.refusal(box.entry("b"), box.entry("broken"))  # and a is left out
    assert code == "UNKNOWN"
    assert text == (
        "1 model(s) did not become available: {{{name: broken version: 4} due to error: UNKNOWN: "
        f"{box.folder / 'broken' / '4'} is no model}}, }}"
    )
    assert box.core.models() == ["a"]
    assert box.answer("a") == (1, "a1")
    until(lambda: _is_gone(box, "b"), "b to be withdrawn", 10)


def test_a_model_that_was_mended_can_be_added_at_once(box):
    box.version("broken", 4, "broken")
    for _ in range(3):
        box.refusal(box.entry("a"), box.entry("broken"))
    (box.folder / "broken" / "4" / "content").write_text("mended")
    box.core.reload(box.list(box.entry("a"), box.entry("broken")))
    assert box.answer("broken") == (4, "mended")


def test_a_mistyped_base_path_is_told_at_once(box):
    code, text = box.refusal(box.entry("a"), box.entry("c", "no-such-folder"))
    assert code == "UNKNOWN"
    assert text.startswith(
        "1 model(s) did not become available: {{{name: c} due to error: UNKNOWN: Could not find base"
    )


def test_a_reload_waits_for_so_long_and_no_longer(running):
    box = running(reload_timeout_s=0.3)
    box.version("a", 1, "a1")
    box.version("slow", 1, "gate")
    box.core.start(box.list(box.entry("a")))
    code, text = box.refusal(box.entry("a"), box.entry("slow"))
    assert (code, text) == (
        "UNKNOWN",
        (
            "1 model(s) did not become available: {{{name: slow version: 1} due to error: UNKNOWN: it is LOADING after "
            "0.3 s}, }"
        ),
    )
    assert box.answer("a") == (1, "a1")


def test_reloads_take_turns(box):
    box.version("slow", 1, "gate")
    first = threading.Thread(target=box.core.reload, args=(box.list(box.entry("a"), box.entry("slow")),))
    first.start()
    until(lambda: box.manager.states("slow"), "the first reload to wait", 10)
    second = threading.Thread(target=box.core.reload, args=(box.list(box.entry("b")),))
    second.start()
    assert box.core.models() == ["a"]
    box.gate.set()
    first.join(10)
    second.join(10)
    assert box.core.models() == ["b"]


def test_shutting_down_ends_a_reload_that_waits(box):
    box.version("slow", 1, "gate")
    said = []
    waiting = threading.Thread(target=lambda: said.append(box.refusal(box.entry("a"), box.entry("slow"))))
    waiting.start()
    until(lambda: box.manager.states("slow"), "the reload to wait", 10)
    box.core.close()
    waiting.join(10)
    assert said == [("UNAVAILABLE", "The server is shutting down")]


def test_only_a_list_of_models_follows_a_list_of_models(box):
    empty = parse_text("tensorflow.serving.ModelServerConfig", "")
    with pytest.raises(Exception, match="Cannot transition to requested config") as caught:
        box.core.reload(empty)
    assert caught.value.code.name == "FAILED_PRECONDITION"


def test_an_empty_configuration_is_none_yet(running):
    box = running()
    box.version("a", 1, "a1")
    box.core.start(parse_text("tensorflow.serving.ModelServerConfig", ""))
    box.core.reload(box.list(box.entry("a")))
    assert box.answer("a") == (1, "a1")


def test_an_emptied_folder_unloads_only_where_that_was_chosen(running, tmp_path):
    for always_present in (True, False):
        box = running(versions_always_present=always_present)
        name = f"model-{always_present}"
        box.version(name, 1, "here")
        box.core.start(box.list(box.entry(name)))
        (tmp_path / name / "1").rename(tmp_path / name / "1.away")
        if always_present:
            until(lambda box=box, name=name: name in box.core.problems(), "the problem to be seen", 10)
            assert box.answer(name) == (1, "here")
        else:
            until(lambda box=box, name=name: _is_gone(box, name), "the model to be unloaded", 10)
