import gc
import threading
import time
import weakref

import numpy as np
import pytest
from batching.conftest import LIMIT_S, LONG_US, Asking, Half
from running import until

from appliance.batching import BatchError, BatchingParameters
from appliance.batching.errors import FAILED_PRECONDITION, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE


class Busy:
    """Holds the only thread of a pool, with a model of its own, until release()."""

    def __init__(self, batcher):
        self._call = Half(gate=threading.Event())
        self._asking = Asking(batcher, self._call, np.zeros(batcher.parameters.execution_size), key="busy")
        assert self._call.began.wait(LIMIT_S)

    def release(self):
        self._call.gate.set()
        assert self._asking.done().error is None


def waiting(batcher):
    """Requests in the queues."""
    with batcher._changed:
        return sum(len(batch.parts) for queue in batcher._queues.values() for batch in queue._batches)


def queued(batcher, call, x, **options):
    """Ask, and return when the request waits in its queue."""
    before = waiting(batcher)
    asking = Asking(batcher, call, x, **options)
    until(lambda: waiting(batcher) > before, "the request to wait in its queue", LIMIT_S)
    return asking


def test_what_came_while_the_thread_was_busy_runs_as_one_and_each_caller_gets_its_rows(batcher):
    started, call = batcher(max_batch_size=8), Half()
    busy = Busy(started)
    asking = [queued(started, call, np.arange(count) + 10 * count) for count in (1, 3, 2)]
    busy.release()
    for count, one in zip((1, 3, 2), asking, strict=True):
        np.testing.assert_array_equal(one.done().answer["y"], (np.arange(count) + 10 * count) / 2 + 2)
    assert call.sizes == [6]


def test_a_full_batch_does_not_wait_for_its_timeout_and_an_open_one_does(batcher):
    started, call = batcher(max_batch_size=2, batch_timeout_micros=LONG_US), Half()
    first = queued(started, call, [1])
    assert call.batches == []
    second = Asking(started, call, [2])
    assert [one.done().answer["y"].tolist() for one in (first, second)] == [[2.5], [3.0]]


def test_a_lone_request_runs_when_its_time_has_come(batcher):
    started, call = batcher(max_batch_size=100, batch_timeout_micros=50_000, num_batch_threads=2), Half()
    begun = time.monotonic()
    asking = [Asking(started, call, [1], key=key) for key in "abc"]
    assert all(one.done().error is None for one in asking)
    assert 0.05 <= time.monotonic() - begun < LIMIT_S
    assert call.sizes == [1, 1, 1]


def test_a_queue_that_is_full_turns_requests_away_and_others_go_on(batcher):
    started, call = batcher(max_batch_size=2, max_enqueued_batches=2), Half()
    busy = Busy(started)
    asking = [queued(started, call, [1, 2]) for _ in range(2)]
    refused = Asking(started, call, [1]).done().error
    assert isinstance(refused, BatchError)
    assert refused.code == UNAVAILABLE
    assert str(refused) == (
        "The batch scheduling queue to which this task was submitted is full; "
        "currently 2 batches enqueued and max_enqueued_batches is 2"
    )
    other = queued(started, call, [3], key="another model")
    busy.release()
    assert all(one.done().error is None for one in (*asking, other))


def test_splitting_knows_how_much_room_is_left(batcher):
    started = batcher(
        max_batch_size=9, max_enqueued_batches=2, enable_large_batch_splitting=True, max_execution_batch_size=3
    )
    call, busy = Half(), Busy(started)
    first = queued(started, call, [1, 2])
    refused = Asking(started, call, range(5)).done().error
    assert refused.code == UNAVAILABLE
    assert "task size is 5 but scheduling capacity is only 4 (num_enqueued_batches=1" in str(refused)
    second = queued(started, call, [3, 4, 5, 6])
    busy.release()
    assert first.done().answer["y"].tolist() == [2.5, 3.0]
    assert second.done().answer["y"].tolist() == [3.5, 4.0, 4.5, 5.0]
    assert call.sizes == [3, 3]


def test_the_parts_of_a_split_request_run_at_the_same_time_where_threads_are_free(batcher):
    started = batcher(
        num_batch_threads=2, max_batch_size=4, enable_large_batch_splitting=True, max_execution_batch_size=2
    )
    both = threading.Barrier(2)

    def call(inputs):
        both.wait(LIMIT_S)
        return dict(inputs)

    assert Asking(started, call, range(4)).done().answer["x"].tolist() == [0, 1, 2, 3]


def test_an_error_in_one_part_of_a_split_request_is_its_answer(batcher):
    started = batcher(max_batch_size=9, enable_large_batch_splitting=True, max_execution_batch_size=3)

    def call(inputs):
        if 5 in inputs["x"]:
            raise BatchError(INVALID_ARGUMENT, "no fives")
        return {"y": inputs["x"]}

    assert str(Asking(started, call, range(9)).done().error) == "no fives"
    assert Asking(started, call, range(4)).done().answer["y"].tolist() == [0, 1, 2, 3]


def test_the_queues_take_turns(batcher):
    started, order = batcher(max_batch_size=1), []

    def call_of(key):
        def call(inputs):
            order.append(key)
            return dict(inputs)

        return call

    busy = Busy(started)
    asking = [queued(started, call_of(key), [1], key=key) for key in ("a", "a", "a", "b", "c", "b")]
    busy.release()
    assert all(one.done().error is None for one in asking)
    assert order == ["a", "b", "c", "a", "b", "a"]


def test_who_waited_too_long_is_told_at_once_and_takes_no_room(batcher):
    started, call = batcher(max_batch_size=2), Half()
    busy = Busy(started)
    late = Asking(started, call, [1, 2], deadline_s=time.monotonic() + 0.01).done().error
    assert (late.code, str(late)) == (RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
    assert started._queues == {}
    in_time = queued(started, call, [3, 4], deadline_s=time.monotonic() + LIMIT_S)
    busy.release()
    assert in_time.done().answer["y"].tolist() == [3.5, 4.0]
    assert call.sizes == [2]


def test_a_batch_that_runs_already_is_waited_for(batcher):
    started, call = batcher(max_batch_size=2), Half(gate=threading.Event())
    deadline_s = time.monotonic() + 0.2
    asking = Asking(started, call, [1, 2], deadline_s=deadline_s)
    assert call.began.wait(LIMIT_S)
    until(lambda: time.monotonic() > deadline_s, "the deadline to pass")
    call.gate.set()
    assert asking.done().answer["y"].tolist() == [2.5, 3.0]


def test_an_error_goes_to_every_member_and_the_pool_lives_on(batcher):
    started, fails = batcher(max_batch_size=4), True

    def call(inputs):
        if fails:
            raise MemoryError("none left")
        return dict(inputs)

    busy = Busy(started)
    asking = [queued(started, call, [number]) for number in range(3)]
    busy.release()
    assert [str(one.done().error) for one in asking] == ["none left"] * 3
    fails = False
    assert Asking(started, call, [7]).done().answer["x"].tolist() == [7]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"x": np.float32(3)}, "Batching Run() input tensors must have at least one dimension"),
        ({"x": np.zeros(2), "z": np.zeros(3)}, "Batching Run() input tensors must have equal 0th-dimension size"),
        ({"x": np.zeros(5)}, "Task size 5 is larger than maximum input batch size 4"),
    ],
)
def test_what_is_no_batch_is_refused(batcher, inputs, told):
    with pytest.raises(BatchError) as refused:
        batcher(max_batch_size=4).run("model", Half(), inputs)
    assert (refused.value.code, str(refused.value)) == (INVALID_ARGUMENT, told)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (np.float32(1), "Batched output tensor has 0 dimensions"),
        (np.zeros(3), "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes"),
    ],
)
def test_an_answer_that_cannot_be_parted_is_an_error(batcher, output, told):
    with pytest.raises(BatchError, match=told) as refused:
        batcher().run("model", lambda inputs: {"y": np.asarray(output)}, {"x": np.zeros(2)})
    assert refused.value.code == FAILED_PRECONDITION


def test_a_batch_between_two_allowed_sizes_is_filled_up_with_the_last_requests_first_row(batcher):
    started, call = batcher(max_batch_size=8, allowed_batch_sizes=(2, 8)), Half()
    busy = Busy(started)
    asking = [queued(started, call, [1, 2]), queued(started, call, [3, 4])]
    busy.release()
    assert [one.done().answer["y"].tolist() for one in asking] == [[2.5, 3.0], [3.5, 4.0]]
    assert call.batches[0]["x"].tolist() == [1, 2, 3, 4, 3, 3, 3, 3]


def test_smaller_inputs_are_filled_up_with_their_first_element_texts_too(batcher):
    started, seen = batcher(max_batch_size=3, batch_timeout_micros=LONG_US, pad_variable_length_inputs=True), []

    def call(inputs):
        seen.append({alias: array.tolist() for alias, array in inputs.items()})
        return dict(inputs)

    short = queued(started, call, {"t": np.array([[b"a"]], object), "n": np.array([[5, 6]])})
    Asking(started, call, {"t": np.array([[b"b", b"c"], [b"d", b"e"]], object), "n": np.array([[1, 2, 3]] * 2)}).done()
    assert short.done().answer["n"].tolist() == [[5, 6, 5]]
    assert seen[0]["t"] == [[b"a", b"a"], [b"b", b"c"], [b"d", b"e"]]


def test_requests_with_a_different_number_of_dimensions_never_share_a_batch_quietly(batcher):
    started = batcher(max_batch_size=2, batch_timeout_micros=LONG_US, pad_variable_length_inputs=True)
    one = queued(started, Half(), [[1]])
    assert Asking(started, Half(), [1]).done().error.code == FAILED_PRECONDITION
    assert one.done().error.code == FAILED_PRECONDITION


def test_a_model_may_have_parameters_of_its_own(batcher):
    started, call = batcher(max_batch_size=8, batch_timeout_micros=LONG_US), Half()
    own = BatchingParameters(max_batch_size=2, batch_timeout_micros=LONG_US)
    asking = [queued(started, call, [1], parameters=own), Asking(started, call, [2], parameters=own)]
    assert all(one.done().error is None for one in asking)
    assert call.sizes == [2]


def test_nothing_is_left_of_a_version_when_its_requests_are_answered(batcher):
    started, call = batcher(), Half()
    gone = weakref.ref(call)
    for version in range(100):
        started.run(("model", version), call, {"x": np.zeros(1, np.float32)})
    assert started._queues == {}
    del call
    started.run("another", dict, {"x": np.zeros(1)})  # the thread has let go of the last batch
    gc.collect()
    assert gone() is None


def test_what_waits_is_answered_when_the_server_stops_and_what_comes_later_is_not(batcher):
    started, call = batcher(max_batch_size=9, batch_timeout_micros=LONG_US), Half()
    asking = queued(started, call, [4])
    assert started.stop(LIMIT_S)
    assert asking.done().answer["y"].tolist() == [4.0]
    with pytest.raises(BatchError, match="stopping") as refused:
        started.run("model", call, {"x": np.zeros(1)})
    assert refused.value.code == UNAVAILABLE


def test_the_measurements_have_tensorflow_servings_names(batcher):
    seen = {}

    def observe(name, value, bounds, labels):
        seen.setdefault(name.removeprefix("/tensorflow/serving/batching_session/"), []).append((value, labels, bounds))

    started = batcher(observe, max_batch_size=4, allowed_batch_sizes=(4,), thread_pool_name="pool")
    started.run("model", Half(), {"x": np.zeros(3, np.float32)})
    assert {name: each[0][:2] for name, each in seen.items() if name != "queuing_latency"} == {
        "input_batch_size": (3, {}),
        "padding_size": (1, {"execution_batch_size": "4"}),
        "processed_batch_size": (4, {}),
        "wrapped_run_count": (1, {}),
    }
    waited_us, labels, bounds = seen["queuing_latency"][0]
    assert 0 <= waited_us < LIMIT_S * 1e6
    assert labels == {"thread_pool_name": "pool"}
    assert bounds[:2] == (100, 120)
    assert seen["wrapped_run_count"][0][2] is None
