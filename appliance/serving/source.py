"""Where wishes come from: which versions should be loaded."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from appliance.serving.errors import ServingError

PayloadT_contra = TypeVar("PayloadT_contra", contravariant=True)


class Aspire(Protocol[PayloadT_contra]):
    """An ear for wishes: the manager's, which takes loaders, or that of an adapter or a router on the way to it.

    Threads: any may call it at any time, also after the manager has stopped (then nothing happens). Returns at once.
    """

    def __call__(self, name: str, versions: Mapping[int, PayloadT_contra | ServingError], /) -> None:
        """Say every version wanted of `name`: the whole wish. Leaving a version out asks to unload it.

        The newest wish for a name replaces the one before it; repeating one is harmless.
        An error in a payload's place is still a version: it ends with that error, and whatever serves goes on serving.
        A source keeps a version's payload, the very object, while it wants the version, and makes a new one exactly
        when the version's content has changed. That is how a version that failed is tried again: see `Manager`.
        The payload of a version that was left out is not offered again: it may have been used up.
        """


class Source(Protocol):
    """Says what it wants by calling an `Aspire`, one name at a time."""

    def poll(self) -> None:
        """Look once, and aspire what is wanted of every name. One thread at a time."""

    def problems(self) -> Mapping[str, str]:
        """What keeps this source from seeing a name's versions: name -> one sentence. Empty when all is well."""
