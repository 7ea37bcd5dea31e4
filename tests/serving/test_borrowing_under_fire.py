"""Real threads: many borrow without pause while versions come and go under them."""

import sys
import threading

import pytest
from serving.doubles import Bench

from appliance.serving import Manager, ManagerState, NotServing, ServableId, availability_preserving

LIMIT_S = 60
BORROWERS = 4
SWAPS = 150


@pytest.fixture
def hasty_switching():
    """Let the interpreter switch threads as often as it can, so that every interleaving gets its chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Borrower(threading.Thread):
    """Borrows until told to stop; what it finds unloaded while it holds it, and what it misses, it counts."""

    def __init__(self, manager, version_of, stop):
        super().__init__()
        self.manager, self.version_of, self.stop = manager, version_of, stop
        self.borrowed = self.missed = self.unloaded = 0
        self.versions = set()
        self.went_back = 0

    def run(self):
        newest = -1
        while not self.stop.is_set():
            try:
                with self.manager.borrow("surface", self.version_of()) as handle:
                    servable = handle.servable
                    for _ in range(3):
                        self.unloaded += not servable.is_loaded
                    version = handle.id.version
            except NotServing:
                self.missed += 1
                continue
            self.borrowed += 1
            self.versions.add(version)
            self.went_back += version < newest
            newest = max(newest, version)


def swap(manager, bench, versions):
    """Bring each version into service after the other; each old one ends before the next swap."""
    ended = threading.Semaphore(0)

    def note(state):
        if state.manager_state is ManagerState.END:
            ended.release()

    manager.monitor.subscribe(note)
    for number, version in enumerate(versions):
        manager.aspire("surface", {version: bench.loader()})
        manager.monitor.wait_until_available([ServableId("surface", version)], LIMIT_S)
        if number:
            assert ended.acquire(timeout=LIMIT_S)


def fight(version_of):
    manager, bench, stop = Manager(availability_preserving), Bench(), threading.Event()
    stepping = threading.Thread(target=manager.run, args=(stop,), kwargs={"tick_s": 0.0005})
    stepping.start()
    swap(manager, bench, [0])
    borrowers = [Borrower(manager, version_of(bench), stop) for _ in range(BORROWERS)]
    for borrower in borrowers:
        borrower.start()
    try:
        swap(manager, bench, range(1, SWAPS))
    finally:
        stop.set()
        for thread in (stepping, *borrowers):
            thread.join(LIMIT_S)
    assert manager.stop(LIMIT_S) == []
    assert (bench.loads, bench.unloads) == (SWAPS, SWAPS)
    assert sum(borrower.unloaded for borrower in borrowers) == 0
    assert all(borrower.borrowed for borrower in borrowers)
    return borrowers


@pytest.mark.usefixtures("hasty_switching")
def test_whoever_asks_for_the_latest_is_served_at_every_moment_of_every_swap():
    borrowers = fight(lambda bench: lambda: None)
    assert sum(borrower.missed for borrower in borrowers) == 0
    assert sum(borrower.went_back for borrower in borrowers) == 0
    assert len(set().union(*(borrower.versions for borrower in borrowers))) > SWAPS // 10


@pytest.mark.usefixtures("hasty_switching")
def test_whoever_asks_for_a_version_that_is_leaving_gets_it_whole_or_not_at_all():
    def oldest_that_is_loaded(bench):
        return lambda: min((servable.id.version for servable in list(bench.loaded.values())), default=0)

    fight(oldest_that_is_loaded)
