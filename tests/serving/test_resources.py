import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.serving import Resource, ResourceAllocation, ResourceTracker, UnknownResource, gpu_ram, main_ram

GIB = 2**30
BOX = main_ram(16) + gpu_ram(16, 0) + gpu_ram(16, 1)


def tracker(*used, total=BOX):
    made = ResourceTracker(total)
    made.recompute(used)
    return made


def test_what_fits_is_reserved_and_then_counted():
    resources = tracker(main_ram(1))
    assert resources.reserve(main_ram(15))
    assert resources.used == main_ram(16)
    assert not resources.reserve(main_ram(1))


def test_what_does_not_fit_reserves_nothing_of_itself():
    resources = tracker()
    assert not resources.reserve(main_ram(1) + gpu_ram(17, 0))
    assert resources.used == ResourceAllocation()


def test_unbound_use_is_counted_on_every_instance():
    assert tracker(gpu_ram(12)).reserve(gpu_ram(4, 0) + gpu_ram(4, 1))
    assert not tracker(gpu_ram(12)).reserve(gpu_ram(5, 1))


def test_an_unbound_request_has_to_fit_wholly_on_one_instance():
    assert tracker(gpu_ram(10, 0)).reserve(gpu_ram(16))
    assert not tracker(gpu_ram(10, 0), gpu_ram(10, 1)).reserve(gpu_ram(7))


def test_the_bound_part_of_a_request_is_taken_before_the_unbound_part_is_placed():
    assert not tracker(total=gpu_ram(16, 0)).reserve(gpu_ram(10, 0) + gpu_ram(7))


def test_a_device_with_one_instance_needs_no_instance_named():
    resources = tracker(total=gpu_ram(8 * GIB, 0))
    assert resources.reserve(gpu_ram(8 * GIB))
    assert resources.used == gpu_ram(8 * GIB, 0)


def test_recomputing_forgets_what_was_reserved_before():
    resources = tracker(main_ram(16))
    resources.recompute([main_ram(2)])
    assert resources.reserve(main_ram(14))


def test_a_total_that_names_no_instance_is_refused():
    with pytest.raises(UnknownResource, match="gpu/ram"):
        ResourceTracker(gpu_ram(12))


def test_where_the_devices_are_known_a_single_one_needs_no_name_in_the_total_either():
    resources = ResourceTracker(ResourceAllocation({Resource("main", None, "ram"): 16}), {"main": 1, "gpu": 2})
    assert resources.total == main_ram(16)
    with pytest.raises(UnknownResource, match="gpu/ram"):
        ResourceTracker(gpu_ram(12), {"main": 1, "gpu": 2})


def test_what_a_known_device_has_none_of_does_not_fit():
    resources = ResourceTracker(main_ram(16) + gpu_ram(16, 0), {"main": 1, "gpu": 2})
    assert not resources.reserve(gpu_ram(1, 1))
    assert not resources.reserve(ResourceAllocation({Resource("main", 0, "disk"): 1}))
    assert resources.reserve(gpu_ram(12))
    assert resources.used == gpu_ram(12), "of two instances it is on either"
    with pytest.raises(UnknownResource, match="gpu/2/ram"):
        resources.reserve(gpu_ram(1, 2))


@pytest.mark.parametrize("bogus", [Resource("npu", 0, "ram"), Resource("gpu", 2, "ram"), Resource("main", 0, "disk")])
def test_a_resource_that_the_box_does_not_count_is_named_in_the_refusal(bogus):
    with pytest.raises(UnknownResource, match=str(bogus)):
        tracker().reserve(ResourceAllocation({bogus: 4}))
    with pytest.raises(UnknownResource, match="main/0/ram"):
        tracker().recompute([ResourceAllocation({bogus: 4})])


def test_a_negative_quantity_is_a_bug():
    with pytest.raises(RuntimeError, match="negative"):
        main_ram(-1)


def test_zero_of_something_is_nothing():
    assert main_ram(0) == ResourceAllocation()
    assert hash(main_ram(0)) == hash(ResourceAllocation())
    assert str(main_ram(0)) == "nothing"


_allocations = st.dictionaries(
    st.builds(Resource, st.just("gpu"), st.sampled_from([None, 0, 1]), st.just("ram")), st.integers(0, 12), max_size=3
).map(ResourceAllocation)


@given(requests=st.lists(_allocations, max_size=8))
def test_bound_parts_never_overfill_an_instance_and_one_has_room_for_all_unbound_parts(requests):
    resources = tracker()
    granted = sum((each for each in requests if resources.reserve(each)), start=ResourceAllocation())
    bound = [granted.quantities.get(Resource("gpu", gpu, "ram"), 0) for gpu in (0, 1)]
    unbound = granted.quantities.get(Resource("gpu", None, "ram"), 0)
    assert max(bound) <= 16
    assert min(bound) + unbound <= 16
