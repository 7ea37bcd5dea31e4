"""Whatever is asked of a store, in whatever order: what serves is whole, and what was needed is there."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from registry.store.packages import FACTORY, content_of, deploy, digest, fetch, lay, listed, package

from appliance.registry.errors import StoreError
from appliance.registry.store.store import Store
from appliance.registry.store.view import StoreView

RELEASES = st.integers(1, 6)
UPGRADED = FACTORY | {"saved_model.pb": b"better"}
MEMORY = Path("/dev/shm")


class Stores(RuleBasedStateMachine):
    """Beside the store, a model of it: which releases are there, and what the pointers name."""

    def __init__(self):
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.factories = [(lay(self.home / "1", FACTORY), FACTORY), (lay(self.home / "2", UPGRADED), UPGRADED)]
        self.factory = 0
        self.store = Store(self.home / "store", 4096)
        self.store.open()
        self.there: set[int] = set()
        self.current = 0
        self.previous: int | None = None
        self.adopt()

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.home)

    def adopt(self):
        folder, content = self.factories[self.factory]
        self.store.adopt_factory(folder, self.factory + 1, digest(content))

    @rule(release=RELEASES)
    def publish(self, release):
        deploy(self.store, release)
        self.there.add(release)

    @rule(release=RELEASES)
    def fetch_a_part(self, release):
        file = listed(package(release))[0]
        if not self.store.holds(file.sha256):
            with self.store.partial(file.sha256, file.size) as sink:
                sink.write(package(release)[file.path][sink.tell() :][:7])

    @rule(release=RELEASES)
    def fetch_and_stage(self, release):
        self.store.stage(release, fetch(self.store, package(release)))

    @rule(release=RELEASES)
    def discard(self, release):
        self.store.discard(release)
        assert list((self.store.folder / "partial").iterdir()) == []

    @rule(release=RELEASES)
    def activate(self, release):
        if release not in self.there:
            with pytest.raises(StoreError, match="there is no release"):
                self.store.activate(release)
            return
        self.store.activate(release)
        if release != self.current:
            self.previous, self.current = self.current, release

    @rule()
    def activate_the_factorys(self):
        self.store.activate(0)
        if self.current != 0:
            self.previous, self.current = self.current, 0

    @precondition(lambda self: self.previous is not None)
    @rule()
    def go_back(self):
        assert self.store.back().release == self.previous
        self.current, self.previous = self.previous, None

    @rule(keep=st.integers(0, 3), protected=st.sets(RELEASES, max_size=2))
    def collect(self, keep, protected):
        collected = self.store.collect(keep, protected)
        assert not set(collected.releases) & {self.current, self.previous, 0, *protected}
        self.there -= set(collected.releases)

    @rule(release=RELEASES)
    def remove(self, release):
        if release in {self.current, self.previous}:
            with pytest.raises(StoreError, match="is in use"):
                self.store.remove(release)
            return
        self.store.remove(release)
        self.there.discard(release)

    @rule()
    def upgrade(self):
        self.factory = 1 - self.factory
        self.adopt()

    @rule()
    def restart(self):
        self.store.close()
        self.store = Store(self.home / "store", 4096)
        assert self.store.open().sentences == ()
        self.adopt()

    @invariant()
    def pointers_are_as_expected(self):
        assert self.store.current.release == self.current
        assert (self.store.previous and self.store.previous.release) == self.previous
        assert self.store.factory.digest == digest(self.factories[self.factory][1])
        assert StoreView(self.store.folder).current() == self.store.current
        [entry] = (self.store.folder / "serving").iterdir()
        assert entry.name == str(self.store.current.version)
        assert entry.resolve() == self.store.current.folder

    @invariant()
    def all_releases_are_whole(self):
        assert {held.release for held in self.store.releases()} == {0, *self.there}
        for held in self.store.releases():
            wanted = package(held.release) if held.release else self.factories[self.factory][1]
            assert content_of(held.folder) == wanted


Stores.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStores = Stores.TestCase
