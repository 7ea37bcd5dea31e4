"""A loader made of two functions."""

from collections.abc import Callable
from typing import Generic, TypeVar

from appliance.serving.ids import ServableId
from appliance.serving.resources import ResourceAllocation

ServableT = TypeVar("ServableT")

_NOTHING = ResourceAllocation()


class SimpleLoader(Generic[ServableT]):
    """For servables that a call creates, and that are gone when nobody refers to them any more. See `Loader`."""

    def __init__(
        self,
        create: Callable[[ServableId], ServableT],
        estimate: Callable[[], ResourceAllocation] = lambda: _NOTHING,
        measure: Callable[[ServableT], ResourceAllocation] | None = None,
    ) -> None:
        """`estimate` is asked once; `measure` says what a created one holds, as long as it is loaded."""
        self._create = create
        self._estimate = estimate
        self._measure = measure
        self._estimated: ResourceAllocation | None = None
        self._servable: ServableT | None = None

    def estimate_resources(self) -> ResourceAllocation:
        """See `Loader`."""
        if self._servable is not None and self._measure is not None:
            return self._measure(self._servable)
        if self._estimated is None:
            self._estimated = self._estimate()
        return self._estimated

    def load(self, id: ServableId, /) -> ServableT:  # noqa: A002 - the word of the trade
        """See `Loader`."""
        self._servable = self._create(id)
        return self._servable

    def unload(self) -> None:
        """See `Loader`."""
        self._servable = None
