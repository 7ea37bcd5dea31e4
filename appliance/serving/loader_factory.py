"""Where a loader comes from that is made only when somebody asks for the version."""

import threading
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Generic, Protocol, TypeVar

from appliance.serving.errors import NotServing, ServingError
from appliance.serving.ids import ServableId
from appliance.serving.loader import Loader

ServableT = TypeVar("ServableT")
ServableT_co = TypeVar("ServableT_co", covariant=True)
PayloadT = TypeVar("PayloadT")


class Which(Enum):
    """Of all versions of a name."""

    EARLIEST = "earliest"
    LATEST = "latest"


class LoaderFactory(Protocol[ServableT_co]):
    """Knows what could be loaded. Threads: any may call anything. Cheap: asked at every borrow without a version."""

    def create_loader(self, id: ServableId, /) -> Loader[ServableT_co]:  # noqa: A002 - the word of the trade
        """A new loader for this version. Raises: ServingError; NotServing where there is no such version."""

    def servable_version(self, name: str, which: Which, /) -> int:
        """The version meant by whoever names none. Raises: ServingError; NotServing where there is none."""


class Catalogue(Generic[PayloadT, ServableT]):
    """A loader factory that sources feed: what they aspire is what could be loaded, and nothing is until asked for.

    Threads: any may call anything. Microseconds, save for `make_loader`.
    """

    def __init__(self, make_loader: Callable[[ServableId, PayloadT], Loader[ServableT]]) -> None:
        """`make_loader` is cheap; it is called for each attempt to load, and may raise ServingError."""
        self._make_loader = make_loader
        self._offering = threading.Lock()
        self._offers: dict[str, Mapping[int, PayloadT | ServingError]] = {}  # guarded by _offering

    def aspire(self, name: str, versions: Mapping[int, PayloadT | ServingError]) -> None:
        """Offer exactly these versions of `name`. See `Aspire`."""
        with self._offering:
            self._offers.pop(name, None)
            if versions:
                self._offers[name] = dict(versions)

    def create_loader(self, id: ServableId, /) -> Loader[ServableT]:  # noqa: A002 - the word of the trade
        """See `LoaderFactory`."""
        payload = self._versions(id.name).get(id.version)
        if payload is None:
            raise NotServing(id.name, id.version)
        if isinstance(payload, ServingError):
            raise payload
        return self._make_loader(id, payload)

    def servable_version(self, name: str, which: Which, /) -> int:
        """See `LoaderFactory`."""
        versions = self._versions(name)
        if not versions:
            raise NotServing(name)
        return max(versions) if which is Which.LATEST else min(versions)

    def _versions(self, name: str) -> Mapping[int, PayloadT | ServingError]:
        with self._offering:
            return self._offers.get(name, {})
