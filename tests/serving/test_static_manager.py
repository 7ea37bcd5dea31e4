import pytest
from serving.doubles import Bench, broken

from appliance.serving import (
    LoadError,
    ManagerState,
    NotServing,
    OutOfResources,
    ResourceTracker,
    ServableId,
    SimpleLoader,
    StaticManager,
    main_ram,
)

LIMIT_S = 10


def ids(*versions):
    return [ServableId("surface", version) for version in versions]


def test_everything_can_be_borrowed_when_it_is_built_and_is_unloaded_when_it_is_stopped():
    bench = Bench()
    one, two, other = *ids(1, 2), ServableId("other", 0)
    manager = StaticManager({each: bench.loader() for each in (one, two, other)})
    with manager.borrow("surface") as latest, manager.borrow("surface", 1) as old, manager.borrow("other") as zero:
        assert (latest.id, old.id, zero.id) == (two, one, other)
        assert latest.servable.is_loaded
    with pytest.raises(NotServing, match=r"Servable not found for request: Specific\(surface, 3\)"):
        manager.borrow("surface", 3).__enter__()
    assert [state.manager_state for state in manager.states()] == [ManagerState.AVAILABLE] * 3
    assert manager.stop(LIMIT_S) == []
    assert (bench.loads, bench.unloads) == (3, 3)
    with pytest.raises(NotServing):
        manager.borrow("surface").__enter__()


def test_of_nothing_it_serves_nothing():
    manager = StaticManager({})
    with pytest.raises(NotServing):
        manager.borrow("surface").__enter__()
    assert manager.stop(LIMIT_S) == []


def test_a_version_that_does_not_load_is_the_builders_error_at_the_first_attempt_and_nothing_stays_loaded():
    bench = Bench()
    one, two = ids(1, 2)
    bad = bench.loader(outcomes=[broken("no such op")])
    with pytest.raises(LoadError, match="no such op"):
        StaticManager({one: bench.loader(), two: bad})
    assert bad.attempts == 1
    assert bench.loaded == {}


def test_what_does_not_fit_together_is_refused():
    bench = Bench()
    with pytest.raises(OutOfResources):
        StaticManager({each: bench.loader(cost=main_ram(60)) for each in ids(1, 2)}, ResourceTracker(main_ram(100)))
    assert bench.loaded == {}


def test_a_simple_loader_makes_a_servable_of_a_function():
    loader = SimpleLoader(lambda each: [each.version], lambda: main_ram(9), lambda made: main_ram(len(made)))
    assert loader.estimate_resources() == main_ram(9)
    manager = StaticManager({ServableId("list", 7): loader})
    with manager.borrow("list") as handle:
        assert handle.servable == [7]
    assert loader.estimate_resources() == main_ram(1), "what is held, as long as it is loaded"
    assert manager.stop(LIMIT_S) == []
    assert loader.estimate_resources() == main_ram(9)


def test_a_simple_loader_estimates_once():
    asked = []
    loader = SimpleLoader(lambda each: each, lambda: asked.append(1) or main_ram(1))
    loader.estimate_resources()
    loader.estimate_resources()
    assert asked == [1]
