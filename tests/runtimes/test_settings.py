"""What TensorFlow is told about its sessions, read back with TensorFlow's own messages."""

import pytest
from pydantic import ValidationError

from appliance.protos import message
from appliance.runtimes.config import GpuConfig, RuntimeConfig, SessionConfig
from appliance.runtimes.tensorflow.overrides import Overrides
from appliance.runtimes.tensorflow.settings import RUN_ON_CALLERS_THREAD, run_options, session_config


def config_proto(overrides=Overrides(), *, optimise=True, **given):  # noqa: B008 - immutable
    config = RuntimeConfig(cache="unused", **given)
    return message("tensorflow.ConfigProto").FromString(session_config(config, overrides, optimise=optimise))


def base(**given):
    return message("tensorflow.ConfigProto")(**given).SerializeToString()


def test_without_a_wish_a_model_runs_on_its_callers_thread_and_sees_no_gpu():
    said = config_proto()
    assert (said.intra_op_parallelism_threads, said.inter_op_parallelism_threads) == (1, 1)
    assert said.allow_soft_placement
    assert dict(said.device_count) == {"GPU": 0}
    asked = message("tensorflow.RunOptions").FromString(run_options(RuntimeConfig(cache="unused")))
    assert asked.inter_op_thread_pool == -1


def test_a_gpu_is_taken_as_it_is_needed_and_no_more_than_allowed():
    said = config_proto(gpu=GpuConfig(memory_fraction=0.25))
    assert said.gpu_options.allow_growth
    assert said.gpu_options.per_process_gpu_memory_fraction == 0.25
    assert not said.device_count


def test_threads_that_are_asked_for_come_before_the_given_settings():
    given = base(intra_op_parallelism_threads=3, inter_op_parallelism_threads=5, isolate_session_state=True)
    said = config_proto(session=SessionConfig(base=given, intra_op=2))
    assert (said.intra_op_parallelism_threads, said.inter_op_parallelism_threads) == (2, 5)
    assert said.isolate_session_state


def test_a_given_setting_and_ours_in_one_message_go_together():
    given = base(gpu_options={"visible_device_list": "1"}, graph_options={"build_cost_model": 7})
    said = config_proto(
        Overrides(disable_meta_optimizer=True), gpu=GpuConfig(memory_fraction=0.5), session=SessionConfig(base=given)
    )
    assert (said.gpu_options.visible_device_list, said.gpu_options.allow_growth) == ("1", True)
    assert said.gpu_options.per_process_gpu_memory_fraction == 0.5
    assert said.graph_options.build_cost_model == 7
    assert said.graph_options.rewrite_options.disable_meta_optimizer


@pytest.mark.parametrize(
    "session",
    [
        SessionConfig(inter_op=0),
        SessionConfig(inter_op=4),
        SessionConfig(base=base(inter_op_parallelism_threads=2)),
    ],
)
def test_operations_run_beside_each_other_only_where_that_is_asked_for(session):
    assert run_options(RuntimeConfig(cache="unused", session=session)) != RUN_ON_CALLERS_THREAD
    one = session.model_copy(update={"inter_op": 1})
    assert run_options(RuntimeConfig(cache="unused", session=one)) == RUN_ON_CALLERS_THREAD


def test_settings_reach_a_child_process_as_json():
    given = RuntimeConfig(cache="unused", session=SessionConfig(base=base(intra_op_parallelism_threads=3)))
    assert RuntimeConfig.model_validate_json(given.model_dump_json()) == given
    assert RuntimeConfig.model_validate(given.model_dump(mode="json")) == given


def test_settings_that_are_no_message_are_refused():
    with pytest.raises(ValidationError, match="cut short"):
        SessionConfig(base=b"\x0a\xff")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"session": SessionConfig(intra_op=1, inter_op=1)}, False),
        ({"threads": 2}, True),
        ({"session": SessionConfig(intra_op=0)}, True),
        ({"session": SessionConfig(inter_op=3)}, True),
        ({"session": SessionConfig(base=base(intra_op_parallelism_threads=3))}, True),
    ],
)
def test_threads_of_an_engines_own_are_looked_for_where_it_may_start_some(given, expected):
    assert RuntimeConfig(cache="unused", **given).may_have_workers is expected
