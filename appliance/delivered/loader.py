"""Loads what was verified, and nothing else: what lies in the folder is compared with what the store has recorded."""

from pathlib import Path

from appliance.runtimes.digest import digest_of
from appliance.runtimes.errors import NotASavedModel
from appliance.runtimes.model import Model
from appliance.serving import Cancellable, Loader, LoadError, LoadRefused, ResourceAllocation, ServableId


class ChangedOnDisk(LoadRefused):
    """A release's files are not those that were verified."""


class CheckedLoader:
    """A loader around another's: no byte of the folder is used before its digest is the recorded one.

    The files are read twice, about 1 s a GB each time, and other threads run meanwhile.
    """

    def __init__(self, inner: Loader[Model], folder: Path, digest: str) -> None:
        """`digest`: `sha256:...` of the folder's content, as recorded."""
        self._inner = inner
        self._folder = folder
        self._digest = digest

    def estimate_resources(self) -> ResourceAllocation:
        """The model's own."""
        return self._inner.estimate_resources()

    def load(self, id: ServableId, /) -> Model:  # noqa: A002 - the word of the trade
        """Compare, load, and compare again. Raises: ChangedOnDisk, LoadError, LoadRefused."""
        self._check(id, self._found(id))
        model = self._inner.load(id)
        try:
            self._check(id, model.digest)
        except ChangedOnDisk:
            self._inner.unload()
            raise
        return model

    def cancel(self) -> None:
        """The model's own, where it can."""
        inner: object = self._inner
        if isinstance(inner, Cancellable):
            inner.cancel()

    def unload(self) -> None:
        """The model's own."""
        self._inner.unload()

    def _found(self, id: ServableId) -> str:  # noqa: A002 - the word of the trade
        try:
            return digest_of(self._folder)
        except NotASavedModel as error:
            raise ChangedOnDisk(f"{id} is not what was verified: {error}") from error
        except OSError as error:
            raise LoadError(f"{id} in {self._folder}: {error}; check the disk") from error

    def _check(self, id: ServableId, found: str) -> None:  # noqa: A002 - the word of the trade
        if found != self._digest:
            raise ChangedOnDisk(
                f"{self._folder} is not what was verified: its files have the digest {found}, and {self._digest} was "
                "recorded; check the disk, and have the release delivered again."
            )
