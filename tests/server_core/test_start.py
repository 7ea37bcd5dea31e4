"""The first configuration: everything it names has a version before the start is over."""

import threading

from running import until


def test_the_start_waits_until_every_model_serves(running):
    box = running()
    box.version("a", 1)
    box.version("slow", 1, "gate")
    starting = threading.Thread(target=box.core.start, args=(box.list(box.entry("a"), box.entry("slow")),))
    starting.start()
    until(lambda: _serves(box, "a"), "a to serve", 10)
    assert starting.is_alive()
    box.gate.set()
    starting.join(10)
    assert not starting.is_alive()
    assert _serves(box, "slow")


def _serves(box, name):
    return any(state.manager_state.value == "AVAILABLE" for state in box.manager.states(name))


def test_the_start_waits_for_a_model_whose_folder_is_yet_to_come(running):
    box = running()
    starting = threading.Thread(target=box.core.start, args=(box.list(box.entry("late")),))
    starting.start()
    until(lambda: "late" in box.core.problems(), "the missing folder to be seen", 10)
    assert starting.is_alive()
    box.version("late", 1)
    starting.join(10)
    assert _serves(box, "late")


def test_a_model_none_of_whose_versions_loads_ends_the_start(running):
    box = running()
    box.version("a", 1)
    box.version("b", 2, "broken")
    code, text = box.refusal(box.entry("a"), box.entry("b"), start=True)
    assert code == "UNKNOWN"
    assert text.startswith("1 servable(s) did not become available: {{{name: b version: 2} due to error: UNKNOWN: ")
    assert text.endswith("is no model}, }")


def test_an_older_version_is_enough(running):
    box = running()
    box.version("b", 1, "fine")
    box.version("b", 2, "broken")
    policy = 'model_platform: "tensorflow" model_version_policy { all {} }'
    box.core.start(box.list(box.entry("b", more=policy)))
    assert box.answer("b", 1) == (1, "fine")


def test_failed_models_are_tolerated_where_that_was_chosen(running):
    box = running(tolerate_failed_models=True)
    box.version("a", 1)
    box.version("b", 2, "broken")
    box.core.start(box.list(box.entry("a"), box.entry("b"), box.entry("nowhere")))
    assert _serves(box, "a")
