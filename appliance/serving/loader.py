"""What knows how to bring one version into memory, and out of it."""

from typing import Protocol, TypeVar, runtime_checkable

from appliance.serving.ids import ServableId
from appliance.serving.resources import ResourceAllocation

ServableT_co = TypeVar("ServableT_co", covariant=True)


class Loader(Protocol[ServableT_co]):
    """Loads one version of one servable, once.

    Cost: building a loader is cheap; whatever takes time happens in load().
    Order: estimate_resources() any number of times; load() until it succeeds; estimate_resources(); unload().
    After unload() a loader is done: the same version is loaded again by another loader.
    Threads: load() runs on a load thread, unload() on an unload thread (or, for a load that was withdrawn meanwhile,
    on the load thread); no two calls run at the same time, and none on a thread that judges parts.
    The line goes on while they run: whatever holds the interpreter (Python's GIL) for long belongs in another process.
    """

    def estimate_resources(self) -> ResourceAllocation:
        """An upper bound of what load() will hold; after it, what is held, each instance named. It never grows.

        Cheap enough to be asked before each attempt (files are counted, not read). Raises: LoadError.
        """

    def load(self, id: ServableId, /) -> ServableT_co:  # noqa: A002 - the word of the trade
        """Block, for seconds or minutes, and return the servable, warm and ready to use.

        Raises: LoadError (holding nothing, and load() may be called again), LoadRefused (trying again is pointless).
        """

    def unload(self) -> None:
        """Give everything back. Called once, after load() succeeded, when nobody borrows the servable any more."""


@runtime_checkable
class Cancellable(Protocol):
    """What a loader may be beside: able to give up. Worth it where load() takes more than some seconds."""

    def cancel(self) -> None:
        """Make load() give up soon, by a LoadError; a load that succeeds all the same is unloaded as usual.

        Called at most once, while load() runs on its thread or just before or after, by another thread, when the
        version is not wanted any more. Returns at once. The loader is not used again.
        """
