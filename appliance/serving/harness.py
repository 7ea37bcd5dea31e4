"""One managed version: its loader, its state, and why it ended."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Generic, TypeVar

from appliance.serving.errors import LoadError, LoadRefused, ServingError, UnloadError
from appliance.serving.handle import Lease
from appliance.serving.ids import ServableId
from appliance.serving.loader import Cancellable, Loader
from appliance.serving.resources import ResourceAllocation
from appliance.serving.state import PUBLIC, TRANSITIONS, HarnessState, ServableState

logger = logging.getLogger(__name__)

ServableT = TypeVar("ServableT")

_GONE = frozenset({HarnessState.NEW, HarnessState.DISABLED, HarnessState.ERROR})
_ON_THE_WAY_IN = frozenset({HarnessState.LOAD_REQUESTED, HarnessState.LOAD_APPROVED, HarnessState.LOADING})
_RETURNABLE = _ON_THE_WAY_IN | {HarnessState.READY}
_RESERVING = frozenset(HarnessState) - _GONE - {HarnessState.LOAD_REQUESTED}


class Harness(Generic[ServableT]):
    """What the manager knows of one version, and the moves it may make.

    Threads: none of its own and no lock. The manager reads and changes it with its own lock held, save for the calls
    that take long (estimate, load, unload), which run without it, one at a time.
    """

    def __init__(
        self,
        id: ServableId,  # noqa: A002 - the word of the trade
        loader: Loader[ServableT] | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.id = id
        self.loader = loader
        self.state = HarnessState.NEW
        self.is_aspired = True
        self.error: ServingError | None = None
        self.attempts = 0
        self.resources: ResourceAllocation | None = None
        """What it reserves; None until its loader was asked."""
        self.lease: Lease[ServableT] | None = None
        self.is_handed = False
        """A thread works on it, or will."""
        self.is_cancelled = False
        """Its loader was told to give up."""
        self.retry_at_s: float | None = None
        """Monotonic moment of the next attempt; None: not waiting for one."""
        self._clock = clock
        self._since = clock()

    @property
    def holds_nothing(self) -> bool:
        """Whether it may be forgotten: not loaded, and nobody at work on it."""
        return self.state in _GONE

    @property
    def can_return(self) -> bool:
        """Whether it serves, or will, when it is wanted again: it is not on its way out."""
        return self.state in _RETURNABLE and not self.is_cancelled

    @property
    def is_waiting(self) -> bool:
        """Whether it is on its way to be loaded and nobody is at work on it: it waits for room, or to try again."""
        return self.state in _ON_THE_WAY_IN and not self.is_handed

    @property
    def is_moving(self) -> bool:
        """Whether what it reserves may soon be free."""
        return self.is_reserving and self.state is not HarnessState.READY

    @property
    def is_reserving(self) -> bool:
        """Whether its resources count as used."""
        return self.state in _RESERVING

    def move(self, to: HarnessState) -> None:
        """Take a step of the table."""
        if to not in TRANSITIONS[self.state]:
            raise RuntimeError(f"Illegal request to transition from state {self.state.value} to {to.value}: {self.id}")
        if PUBLIC[to] is not PUBLIC[self.state]:
            self._since = self._clock()
        self.state = to

    def request_load(self) -> None:
        """Only once, and only from NEW: of two requests exactly one wins."""
        if self.state is not HarnessState.NEW:
            raise RuntimeError(f"Duplicate load request: {self.id}")
        self.move(HarnessState.LOAD_REQUESTED)

    def request_unload(self) -> None:
        """Only once, and only of what is loaded."""
        if self.state is not HarnessState.READY:
            raise RuntimeError(f"Servable not loaded, or unload already requested/ongoing: {self.id}")
        self.move(HarnessState.UNLOAD_REQUESTED)

    def fail(self, error: ServingError) -> None:
        """It ends here, and this is why."""
        self.move(HarnessState.ERROR)
        self.error = without_frames(error)
        self.retry_at_s = None

    def public(self) -> ServableState:
        """As the world sees it."""
        return ServableState(self.id, PUBLIC[self.state], self.error, self._since, self.attempts)

    def estimate(self) -> ResourceAllocation:
        """Ask the loader what it needs, or holds. Takes as long as it takes. Raises: ServingError."""
        with _in_our_words(LoadError, f"the resources of {self.id} could not be estimated"):
            return self._loader.estimate_resources()

    def load(self) -> ServableT:
        """One attempt. Takes as long as it takes. Raises: ServingError."""
        with _in_our_words(LoadError, f"{self.id} could not be loaded"):
            return self._loader.load(self.id)

    @property
    def can_be_cancelled(self) -> bool:
        """Whether its loader is at work and can be told to give up, and was not."""
        is_loading = self.state is HarnessState.LOADING and self.is_handed
        return is_loading and not self.is_cancelled and isinstance(self.loader, Cancellable)

    def cancel(self) -> None:
        """Tell the loader to give up. Returns at once. Raises: ServingError."""
        loader: object = self.loader
        if isinstance(loader, Cancellable):
            with _in_our_words(LoadError, f"{self.id} could not be cancelled"):
                loader.cancel()

    def unload(self) -> None:
        """Give everything back. Takes as long as it takes. Raises: ServingError."""
        with _in_our_words(UnloadError, f"{self.id} could not be unloaded cleanly"):
            self._loader.unload()

    def may_try_again(self, error: ServingError, max_load_retries: int) -> bool:
        """Whether an attempt that ended with `error` is followed by another."""
        is_lasting = isinstance(error, LoadRefused) or not isinstance(error, LoadError)
        return not is_lasting and self.attempts <= max_load_retries

    @property
    def _loader(self) -> Loader[ServableT]:
        if self.loader is None:
            raise RuntimeError(f"{self.id} was aspired with an error and has no loader")
        return self.loader


def without_frames(error: ServingError) -> ServingError:
    """The same error without its tracebacks: an error is kept for long, and their frames hold half-loaded models."""
    link: BaseException | None = error
    while link is not None and link.__traceback__ is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


@contextmanager
def _in_our_words(kind: type[ServingError], doing: str) -> Iterator[None]:
    """The boundary to foreign code: whatever a loader raises ends one version, never a thread of the manager's."""
    try:
        yield
    except ServingError:
        raise
    except Exception as error:
        logger.warning("%s, and its loader does not know this error", doing, exc_info=True)
        raise kind(f"{doing}: {type(error).__name__}: {error}") from error
