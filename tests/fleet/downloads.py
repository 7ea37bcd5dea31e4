"""Who downloads how fast: the registry's line, each site's line, and a mirror where a site has one. In whole steps."""

import numpy as np
from fleet.costs import Costs

STEP_S = 10.0


class Downloads:
    """All boxes' downloads, as amounts that flow; equal shares on every line. One step costs about 0.2 ms."""

    def __init__(self, costs: Costs, site_of: np.ndarray, bytes_each: int, *, mirrors: bool) -> None:
        self._costs = costs
        self._site_of = site_of
        self._sites = int(site_of.max()) + 1
        self._each = bytes_each
        self._left = np.zeros(len(site_of))
        self._mirror_left = np.full(self._sites, float(bytes_each) if mirrors else 0.0)
        self._mirrors = mirrors
        self.sent_bytes = 0.0
        """By the registry."""
        self.peak_bytes_s = 0.0
        self.most_at_once = 0

    def begin(self, box: int) -> None:
        self._left[box] = self._each

    @property
    def under_way(self) -> int:
        return int(np.count_nonzero(self._left))

    def step(self, *, registry_up: bool) -> np.ndarray:
        """Ten seconds more; the boxes that are ready."""
        active = np.flatnonzero(self._left)
        if not len(active):
            return active
        self.most_at_once = max(self.most_at_once, len(active))
        sites = self._site_of[active]
        if self._mirrors:
            self._fill_mirrors(np.unique(sites), registry_up=registry_up)
            rate = np.where(self._mirror_left[sites] > 0, 0.0, self._costs.lan_bytes_s)
            rate = rate / np.bincount(sites, minlength=self._sites)[sites]
        else:
            rate = self._shares(sites, len(active)) * registry_up
        moved = np.minimum(self._left[active], rate * STEP_S)
        if not self._mirrors:
            self._count(moved.sum())
        self._left[active] -= moved
        return active[self._left[active] <= 0]

    def _shares(self, sites: np.ndarray, flows: int) -> np.ndarray:
        """Bytes/s of each flow: what the site's line and the registry's leave it, whichever is less."""
        at_site = np.bincount(sites, minlength=self._sites)[sites]
        return np.minimum(self._costs.uplink_bytes_s / at_site, self._costs.registry_bytes_s / flows)

    def _fill_mirrors(self, sites: np.ndarray, *, registry_up: bool) -> None:
        filling = sites[self._mirror_left[sites] > 0]
        if not len(filling) or not registry_up:
            return
        moved = np.minimum(self._mirror_left[filling], self._shares(filling, len(filling)) * STEP_S)
        self._count(moved.sum())
        self._mirror_left[filling] -= moved

    def _count(self, moved: float) -> None:
        self.sent_bytes += float(moved)
        self.peak_bytes_s = max(self.peak_bytes_s, float(moved) / STEP_S)
