"""Promises of "always" get random histories: wishes, failures, borrowers, time, and threads that run when they like."""

import itertools
from contextlib import ExitStack, suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from serving.doubles import BenchLoader, CancellableLoader, HandManager, broken

from appliance.serving import (
    HarnessState,
    Load,
    LoadRefused,
    ManagerState,
    NotServing,
    ResourceTracker,
    ServingError,
    availability_preserving,
    gpu_ram,
    main_ram,
    resource_preserving,
)

NAMES = st.sampled_from(["a", "b"])
VERSIONS = st.integers(0, 3)
ROOM = main_ram(7) + gpu_ram(5, 0) + gpu_ram(5, 1)
COSTS = st.sampled_from([main_ram(1), main_ram(3), main_ram(1) + gpu_ram(2), gpu_ram(4), main_ram(2) + gpu_ram(3, 1)])
OUTCOMES = st.lists(st.sampled_from([None, broken(), LoadRefused("refused"), MemoryError()]), max_size=2)

WISH = {
    "name": NAMES,
    "versions": st.sets(VERSIONS, max_size=3),
    "costs": st.lists(COSTS, min_size=3, max_size=3),
    "outcomes": st.lists(OUTCOMES, min_size=3, max_size=3),
    "keep": st.booleans(),
}


class Histories(RuleBasedStateMachine):
    """Every rule may happen at any time, and wishes and steps also in the middle of a load or an unload."""

    policy = staticmethod(availability_preserving)

    def __init__(self):
        super().__init__()
        self.hand = HandManager(self.policy, ResourceTracker(ROOM), max_load_retries=1, load_retry_interval_s=5)
        self.count = itertools.count()
        self.prepared = []
        """Wishes for the middle of a load or unload."""
        self.borrowed = []
        self.served = set()
        """Names that have had something to serve since their wish was last empty."""
        self.wishes = {"a": {}, "b": {}}

    def loader(self, **wishes):
        """Every other one can be cancelled."""
        kind = [BenchLoader, CancellableLoader][next(self.count) % 2]
        return kind(self.hand.bench, **wishes, during_load=self.meanwhile, during_unload=self.meanwhile)

    def meanwhile(self):
        """In the middle of a load or unload: one wish that was prepared for such a moment, and a step."""
        if self.prepared:
            self.wish(*self.prepared.pop())
            self.begun(self.hand.manager.step())
        self.check()

    def wish(self, name, versions):
        self.wishes[name] = versions
        if not versions:
            self.served.discard(name)
        self.hand.manager.aspire(name, versions)

    def new_wish(self, name, versions, costs, outcomes, keep):
        """Versions that were wished before keep their loader, where `keep` says so."""
        fresh = {
            version: self.loader(cost=cost, outcomes=outcome)
            for version, cost, outcome in zip(sorted(versions), costs, outcomes, strict=False)
        }
        kept = {v: loader for v, loader in self.wishes[name].items() if v in fresh and keep}
        return {**fresh, **kept}

    @rule(**WISH)
    def aspire(self, name, versions, costs, outcomes, keep):
        self.wish(name, self.new_wish(name, versions, costs, outcomes, keep))

    @rule(name=NAMES, version=VERSIONS)
    def aspire_an_error(self, name, version):
        self.wish(name, {**self.wishes[name], version: ServingError("unreadable")})

    @rule(**WISH)
    def prepare_a_wish_for_the_middle_of_a_load_or_unload(self, name, versions, costs, outcomes, keep):
        self.prepared.append((name, self.new_wish(name, versions, costs, outcomes, keep)))

    @rule()
    def step(self):
        self.begun(self.hand.manager.step())

    def begun(self, action):
        """For policies that promise something of each action."""

    @rule(kind=st.sampled_from(["load", "unload"]))
    def a_thread_runs_one_task(self, kind):
        if self.hand.tasks(kind):
            self.hand.executors[kind].run_one()

    @rule(name=NAMES, version=st.none() | VERSIONS)
    def borrow(self, name, version):
        scope = ExitStack()
        try:
            handle = scope.enter_context(self.hand.manager.borrow(name, version))
        except NotServing:
            return
        assert handle.servable.is_loaded
        assert handle.id.name == name
        assert version in (None, handle.id.version)
        self.borrowed.append((scope, handle))

    @precondition(lambda self: self.borrowed)
    @rule(data=st.data())
    def give_back(self, data):
        scope, _ = self.borrowed.pop(data.draw(st.integers(0, len(self.borrowed) - 1)))
        scope.close()

    @rule(seconds=st.sampled_from([1, 5, 60]))
    def time_passes(self, seconds):
        self.hand.now_s += seconds

    @invariant()
    def check(self):
        self.no_borrowed_version_is_ever_unloaded()
        self.resources_are_never_exceeded()
        self.what_is_available_can_be_borrowed()
        self.what_serves_is_loaded()
        self.history_is_bounded()
        self.availability()

    def no_borrowed_version_is_ever_unloaded(self):
        for _, handle in self.borrowed:
            assert handle.servable.is_loaded

    def resources_are_never_exceeded(self):
        bound = ResourceTracker(ROOM)
        for loader in self.hand.bench.loaded:
            assert bound.reserve(loader.cost)

    def what_is_available_can_be_borrowed(self):
        for harness in self.hand.manager._basic.harnesses():
            if harness.state is HarnessState.READY:
                with self.hand.manager.borrow(harness.id.name, harness.id.version) as handle:
                    assert handle.servable.loader is harness.loader

    def what_serves_is_loaded(self):
        for name in self.wishes:
            with suppress(NotServing), self.hand.manager.borrow(name) as handle:
                assert handle.servable.is_loaded

    def history_is_bounded(self):
        managed = {harness.id for harness in self.hand.manager._basic.harnesses()}
        assert len([state for state in self.hand.manager.states() if state.id not in managed]) <= 64

    def availability(self):
        """Never nothing ready while anything is wanted and something was ready."""
        for name, wish in self.wishes.items():
            serves = any(each.id.name == name for each in self.hand.manager._basic.directory.current.latest.values())
            if serves and wish:
                self.served.add(name)
            if name in self.served:
                assert serves, f"{name} stopped serving while {sorted(wish)} were wished for"

    def teardown(self):
        """When everybody lets go and nothing is wished for, everything that was loaded has been unloaded."""
        self.prepared.clear()
        for scope, _ in self.borrowed:
            scope.close()
        self.borrowed.clear()
        for name in self.wishes:
            self.wish(name, {})
        self.hand.settle()
        self.hand.settle()
        assert self.hand.bench.loaded == {}
        assert self.hand.bench.loads == self.hand.bench.unloads
        assert self.hand.manager._basic.harnesses() == []
        assert self.hand.manager._basic.directory.current.exact == {}
        for state in self.hand.manager.states():
            assert state.manager_state is ManagerState.END
            order = list(ManagerState)
            lives = self.hand.history(state.id.name, state.id.version)
            for before, after in itertools.pairwise(lives):
                is_new_life = after == "START" and before == "END"
                assert is_new_life or order.index(ManagerState(before)) < order.index(ManagerState(after)), lives


class ScarceHistories(Histories):
    """The same where memory is scarce: the old version goes first, at the price of gaps."""

    policy = staticmethod(resource_preserving)

    def begun(self, action):
        if isinstance(action, Load):
            for harness in self.hand.manager._basic.harnesses(action.id.name):
                assert harness.id.version in self.wishes[action.id.name] or harness.holds_nothing

    def availability(self):
        """Not promised here."""


_PATIENT = settings(max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
TestHistoriesWhereAvailabilityIsPreserved = Histories.TestCase
TestHistoriesWhereAvailabilityIsPreserved.settings = _PATIENT
TestHistoriesWhereMemoryIsScarce = ScarceHistories.TestCase
TestHistoriesWhereMemoryIsScarce.settings = _PATIENT
