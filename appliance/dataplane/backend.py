"""Who has the models: the Manager in this process, or the line's, over a wire."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.runtimes.model import Array, Signature
from appliance.serving import ServableId, ServableState


@dataclass(frozen=True, slots=True)
class Outline:
    """What a loaded version says of itself; the same for as long as it is loaded."""

    signatures: Mapping[str, Signature]
    """Those that can be called here, by key."""
    signature_defs: Mapping[str, bytes]
    """Every signature as its SavedModel has it: a serialized tensorflow.SignatureDef, by key."""
    metadata: Mapping[str, Any]
    """`assets.extra/inspection.json`; empty where it has none."""
    engine: str
    digest: str


class Borrowed(Protocol):
    """One version, for one request."""

    @property
    def id(self) -> ServableId:
        """Which version answers. Over the wire it may be a newer one after run(), where none was asked for."""

    @property
    def outline(self) -> Outline: ...

    def run(
        self,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> dict[str, Array]:
        """Run one signature: all of its outputs, or those named. Blocks for as long as the model takes, or its queue.

        `deadline_s`: monotonic moment after which nobody wants the answer. What was checked already is not checked
        again, and shapes are the graph's to judge. Raises: RequestError (DEADLINE_EXCEEDED where the moment came
        while it waited, RESOURCE_EXHAUSTED where the queue is full, and what the model itself says).
        """

    def run_together(
        self, signatures: Sequence[str], inputs: Mapping[str, Array], *, deadline_s: float | None = None
    ) -> dict[str, dict[str, Array]]:
        """Run several signatures of the same inputs in one pass; outputs by signature. Raises: RequestError."""


class Backend(Protocol):
    """Threads: every method may be called from any."""

    def borrow(self, name: str, version: int | None) -> AbstractContextManager[Borrowed]:
        """Borrow a version, or the latest. Raises on entering: RequestError (NOT_FOUND)."""

    def labels(self, name: str) -> Mapping[str, int]:
        """The version labels of a model; empty where it has none, or is not known."""

    def states(self, name: str | None = None) -> Sequence[ServableState]:
        """Every version known, also those that ended lately; by name, the newest first."""
