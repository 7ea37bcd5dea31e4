"""Variables become constants where that changes nothing, and only there."""

import json

import pytest


@pytest.fixture(scope="module")
def freezing(models):
    return json.loads((models / "freezing.json").read_text())


def test_a_frozen_graph_has_no_variables_and_is_already_optimised(freezing):
    operations = freezing["classifier"]["operations"]
    assert not {"VarHandleOp", "ReadVariableOp", "Rsqrt", "NoOp"} & set(operations)


def test_signatures_share_their_weights(freezing):
    assert freezing["classifier"]["weights"] == 1  # the kernel, though two functions use it
    assert freezing["classifier"]["operations"].count("Conv2D") == 2


@pytest.mark.parametrize(
    ("model", "operation"),
    [
        ("table", "LookupTableFindV2"),
        ("counter", "AssignAddVariableOp"),
        ("keeper", "AssignVariableOp"),
        ("random", "RandomUniform"),
    ],
)
def test_what_is_more_than_a_function_of_its_inputs_is_not_frozen(freezing, model, operation):
    assert f"'serving_default' uses {operation}, which is more than a function" in freezing[model]["refused"]
