"""Which versions a label may point at: the scenarios of TensorFlow Serving's own tests."""

import pytest


@pytest.fixture
def labelled(running):
    def make(**settings):
        box = running(**settings)
        box.version("m", 123)
        box.version("m", 124)

        def entry(**labels):
            pairs = "".join(f'version_labels {{ key: "{key}" value: {value} }}' for key, value in labels.items())
            return box.entry("m", more=f'model_platform: "tensorflow" model_version_policy {{ all {{}} }} {pairs}')

        box.labels = entry
        return box

    return make


UNAVAILABLE = (
    "FAILED_PRECONDITION",
    "Request to assign label to version 100 of model m, which is not currently available for inference",
)


def test_labels_of_what_serves_are_assigned(labelled):
    box = labelled()
    box.core.start(box.list(box.labels()))
    assert dict(box.core.labels("m")) == {}
    box.manager.monitor.wait_until_available(_both(box), 10)
    box.core.reload(box.list(box.labels(A=123, B=124)))
    assert dict(box.core.labels("m")) == {"A": 123, "B": 124}
    assert box.core.labels("nobody") == {}


def _both(box):
    return [state.id for state in box.manager.states("m")]


def test_labels_of_the_first_configuration_wait_for_their_versions(labelled):
    box = labelled()
    box.core.start(box.list(box.labels(A=123, B=124)))
    assert dict(box.core.labels("m")) == {"A": 123, "B": 124}
    assert {state.manager_state.value for state in box.manager.states("m")} == {"AVAILABLE"}


def test_a_label_of_the_first_configuration_that_points_at_nothing_ends_the_start(labelled):
    box = labelled()
    assert box.refusal(box.labels(A=100), start=True) == UNAVAILABLE


def test_with_the_flag_a_new_label_points_anywhere(labelled):
    box = labelled(labels_for_unavailable=True)
    box.core.start(box.list(box.labels(A=123, B=124)))
    assert dict(box.core.labels("m")) == {"A": 123, "B": 124}


@pytest.mark.parametrize("allowed", [True, False])
def test_a_label_in_use_never_moves_to_what_does_not_serve(labelled, allowed):
    box = labelled(labels_for_unavailable=allowed)
    box.core.start(box.list(box.labels()))
    box.manager.monitor.wait_until_available(_both(box), 10)
    box.core.reload(box.list(box.labels(A=123, B=124)))
    assert box.refusal(box.labels(A=124, B=100)) == UNAVAILABLE
    assert dict(box.core.labels("m")) == {"A": 123, "B": 124}
    box.core.reload(box.list(box.labels(B=123)))
    assert dict(box.core.labels("m")) == {"B": 123}
