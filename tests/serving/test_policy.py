import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.serving import HarnessState, Load, ServableId, Unload, availability_preserving, resource_preserving
from appliance.serving.policy import AspiredVersion

S = HarnessState


def v(version, state, *, aspired):
    return AspiredVersion(ServableId("surface", version), state, aspired)


def load(version):
    return Load(ServableId("surface", version))


def unload(version):
    return Unload(ServableId("surface", version))


both = pytest.mark.parametrize("policy", [availability_preserving, resource_preserving])


@both
def test_nothing_managed_means_nothing_to_do(policy):
    assert policy([]) is None


@both
def test_of_several_new_versions_the_highest_is_loaded_first(policy):
    assert policy([v(4, S.NEW, aspired=True), v(10, S.NEW, aspired=True), v(9, S.NEW, aspired=True)]) == load(10)


@both
def test_when_nothing_is_wanted_what_is_loaded_goes(policy):
    assert policy([v(1, S.DISABLED, aspired=False), v(2, S.READY, aspired=False)]) == unload(2)


@both
def test_a_version_that_is_being_loaded_is_not_loaded_again(policy):
    assert policy([v(1, S.LOAD_REQUESTED, aspired=True)]) is None


def test_the_old_version_stays_while_the_new_one_loads():
    assert availability_preserving([v(7, S.READY, aspired=False), v(8, S.LOADING, aspired=True)]) is None


def test_the_old_version_stays_when_the_new_one_failed():
    assert availability_preserving([v(7, S.READY, aspired=False), v(8, S.ERROR, aspired=True)]) is None


def test_the_new_version_is_loaded_beside_the_old_one():
    assert availability_preserving([v(7, S.READY, aspired=False), v(8, S.NEW, aspired=True)]) == load(8)


def test_the_old_version_goes_when_the_new_one_is_ready():
    versions = [v(7, S.READY, aspired=False), v(8, S.READY, aspired=True), v(9, S.NEW, aspired=True)]
    assert availability_preserving(versions) == unload(7)


def test_of_two_old_versions_the_lower_goes_even_before_the_new_one_is_ready():
    versions = [v(6, S.READY, aspired=False), v(5, S.READY, aspired=False), v(7, S.LOADING, aspired=True)]
    assert availability_preserving(versions) == unload(5)


def test_where_memory_is_scarce_the_old_version_goes_first():
    assert resource_preserving([v(7, S.READY, aspired=False), v(8, S.NEW, aspired=True)]) == unload(7)


@pytest.mark.parametrize("leaving", [S.UNLOAD_REQUESTED, S.QUIESCING, S.QUIESCED, S.UNLOADING])
def test_where_memory_is_scarce_nothing_loads_before_the_old_version_has_gone(leaving):
    assert resource_preserving([v(7, leaving, aspired=False), v(8, S.NEW, aspired=True)]) is None


@st.composite
def _versions(draw):
    numbers = draw(st.lists(st.integers(0, 20), unique=True, max_size=6))
    return [v(each, draw(st.sampled_from(S)), aspired=draw(st.booleans())) for each in numbers]


@both
@given(versions=_versions())
def test_only_what_is_unwanted_and_ready_is_unloaded_and_only_what_is_wanted_and_new_is_loaded(policy, versions):
    action = policy(versions)
    by_id = {each.id: each for each in versions}
    if isinstance(action, Unload):
        assert (by_id[action.id].is_aspired, by_id[action.id].state) == (False, S.READY)
    if isinstance(action, Load):
        assert (by_id[action.id].is_aspired, by_id[action.id].state) == (True, S.NEW)


@given(versions=_versions())
def test_availability_is_never_given_up_while_anything_is_wanted(versions):
    action = availability_preserving(versions)
    ready = {each.id for each in versions if each.state is S.READY}
    if isinstance(action, Unload) and any(each.is_aspired for each in versions):
        assert ready - {action.id}
