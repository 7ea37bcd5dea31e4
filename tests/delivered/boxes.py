"""A store on a disk, a manager whose threads are the test's, and one delivered model between them."""

import shutil
import time

from registry.store.packages import FACTORY, deploy, digest, lay
from serving.doubles import HandManager

from appliance.delivered.model import DeliveredModel
from appliance.delivered.shipped import Shipped
from appliance.delivered.wish import Wish
from appliance.registry.store.store import Store
from appliance.registry.store.view import StoreView
from appliance.runtimes.digest import digest_of
from appliance.serving import resource_preserving

NOTHING = Wish()


class Box:
    """`look()` once, then whatever is to be loaded is loaded, until nothing moves."""

    def __init__(self, folder, *, is_kept=True):
        self.base_path = folder / "base"
        lay(self.base_path / "1", FACTORY)
        self.store = Store(folder / "store", 64 << 10)
        self.is_kept = is_kept
        self.hand = HandManager() if is_kept else HandManager(resource_preserving)
        self.loads = []
        self.fails = {}
        """Version -> what its next loads raise."""
        self.restart()

    def restart(self):
        """The line's process begins anew; the disk is as it was."""
        self.hand = HandManager() if self.is_kept else HandManager(resource_preserving)
        self.model = DeliveredModel(
            "surface",
            StoreView(self.store.folder),
            Shipped("surface", lambda: self.base_path).newest,
            self.hand.manager,
            self.loader,
            is_kept=lambda: self.is_kept,
        )

    def loader(self, new, folder):
        loader = self.hand.bench.loader(outcomes=self.fails.get(new.version, ()))
        load = loader.load

        def told(servable_id):
            self.loads.append((new.version, folder))
            servable = load(servable_id)
            servable.digest = digest_of(folder)
            return servable

        loader.load = told
        return loader

    def adopt(self):
        self.store.open()
        self.store.adopt_factory(self.base_path / "1", 1, digest(FACTORY))

    def deploy(self, *releases):
        """Published: release 5 is version 105."""
        return [deploy(self.store, release) for release in releases]

    def look(self, wish=NOTHING):
        return self.model.look(wish, time.monotonic_ns())

    def settle(self, wish=NOTHING):
        for _ in range(20):
            self.look(wish)
            self.hand.settle()
        self.look(wish)

    @property
    def serving(self):
        return self.hand.latest("surface")

    @property
    def in_memory(self):
        return sorted(one.id.version for one in self.hand.bench.loaded.values())

    @property
    def status(self):
        return self.model.status(None, None)

    def spoil(self, release):
        """A byte of it changes on the disk."""
        file = self.store.held(release).folder / "saved_model.pb"
        raw = file.read_bytes()
        copy = file.with_name("copy")
        shutil.copy(file, copy)  # a file of its own: other releases have the same blobs
        copy.chmod(0o644)
        copy.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
        copy.rename(file)
