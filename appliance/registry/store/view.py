"""The store as others see it: read only, without a lock, while delivery writes."""

from pathlib import Path

from appliance.registry.store.held import Held


class StoreView:
    """For the line. Any thread; each call reads some small files (below 1 ms from memory). Never writes.

    What is returned was true a moment ago: `current` may have moved since, and a release that is neither pointed at
    nor wished for may be gone.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` need not exist yet."""
        self.folder = folder

    def current(self) -> Held | None:
        """What has to serve; None where nothing was ever adopted. Raises StoreError where it cannot be read."""
        raise NotImplementedError

    def held(self, release: int) -> Held | None:
        """That release, where it is published. Raises StoreError where its record cannot be read."""
        raise NotImplementedError
