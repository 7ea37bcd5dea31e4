"""A fork on a wish's way: each name to the ear that is meant for it."""

import threading
from collections.abc import Mapping
from typing import Generic, TypeVar

from appliance.serving.errors import ServingError
from appliance.serving.source import Aspire

PayloadT = TypeVar("PayloadT")


class SourceRouter(Generic[PayloadT]):
    """Passes wishes on by name: to the ear of that name's route, and where there is none, to the default.

    A model's platform is such a route, and the default an adapter that says that there is no platform for it.

    Threads: any. update() and a wish on its way exclude each other, so no wish is passed on by two sets of routes.
    """

    def __init__(self, default: Aspire[PayloadT], routes: Mapping[str, Aspire[PayloadT]] | None = None) -> None:
        """`routes`: name -> ear, by exact name."""
        self._default = default
        self._passing = threading.Lock()
        self._routes: Mapping[str, Aspire[PayloadT]] = dict(routes or {})  # guarded by _passing, as below
        self._taken: dict[str, Aspire[PayloadT]] = {}
        """Which ear has a name's versions now."""

    def update(self, routes: Mapping[str, Aspire[PayloadT]]) -> None:
        """Replace all routes; they hold from the next wish on. What is loaded by another route stays as it is."""
        with self._passing:
            self._routes = dict(routes)

    def aspire(self, name: str, versions: Mapping[int, PayloadT | ServingError]) -> None:
        """Pass the wish on by its name's route; that nothing is wanted any more, to who had its versions last."""
        with self._passing:
            route = self._routes.get(name, self._default)
            if versions:
                self._taken[name] = route
            else:
                route = self._taken.pop(name, route)
            route(name, versions)
