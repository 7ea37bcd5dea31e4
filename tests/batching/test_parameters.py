import os
from dataclasses import replace

import pytest

from appliance.batching import BatchError, BatchingParameters, parameters_of
from appliance.protos import parse_text

TEXT = """
max_batch_size { value: 128 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 3 }
thread_pool_name { value: "pool" }
allowed_batch_sizes: 1 allowed_batch_sizes: 32
pad_variable_length_inputs: true
enable_large_batch_splitting { value: true }
max_execution_batch_size { value: 32 }
"""


def parsed(text):
    return parameters_of(parse_text("tensorflow.serving.BatchingParameters", text))


def test_a_file_says_all_of_it():
    assert parsed(TEXT) == BatchingParameters(
        max_batch_size=128,
        batch_timeout_micros=5000,
        max_enqueued_batches=100,
        num_batch_threads=3,
        thread_pool_name="pool",
        allowed_batch_sizes=(1, 32),
        pad_variable_length_inputs=True,
        enable_large_batch_splitting=True,
        max_execution_batch_size=32,
    )


def test_what_a_file_leaves_out_has_tensorflow_servings_default():
    parameters = parsed("")
    assert parameters == BatchingParameters()
    assert (parameters.max_batch_size, parameters.batch_timeout_micros, parameters.max_enqueued_batches) == (
        1000,
        0,
        10,
    )
    assert parameters.num_batch_threads == os.cpu_count()
    assert parameters.thread_pool_name == "batch_threads"
    assert parameters.execution_size == 1000


def test_a_value_given_as_zero_is_not_one_left_out():
    assert parsed("max_enqueued_batches { value: 0 }").queue_size == 1
    with pytest.raises(BatchError, match="max_batch_size must be positive; was 0"):
        parsed("max_batch_size { value: 0 }")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"num_batch_threads": 0}, "num_batch_threads must be positive; was 0"),
        ({"batch_timeout_micros": -1}, "batch_timeout_micros must be non-negative; was -1"),
        ({"max_enqueued_batches": -2}, "max_enqueued_batches must be non-negative; was -2"),
        ({"allowed_batch_sizes": (2, 2, 4)}, "allowed_batch_sizes entries must be monotonically increasing"),
        ({"allowed_batch_sizes": (0, 4)}, "allowed_batch_sizes entries must be monotonically increasing"),
        (
            {"allowed_batch_sizes": (2, 8)},
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 4",
        ),
        (
            {"allowed_batch_sizes": (2, 4), "enable_large_batch_splitting": True, "max_execution_batch_size": 3},
            "Last entry in allowed_batch_sizes must be equal to max_execution_batch_size; last entry was 4; expected 3",
        ),
        (
            {"enable_large_batch_splitting": True, "max_execution_batch_size": 5},
            "must be greater than or equal to max_execution_batch_size",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(given, told):
    with pytest.raises(BatchError, match=told) as refused:
        replace(BatchingParameters(max_batch_size=4), **given)
    assert refused.value.code == 3
