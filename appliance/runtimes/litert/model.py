"""A model that LiteRT runs: a few compiled copies, because each does one thing at a time.

The copy that was used last is used next: its weights are still near the processor.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from appliance.runtimes.description import Description
from appliance.runtimes.errors import LoadError, LoadRefused
from appliance.runtimes.litert.capi import OUT_OF_MEMORY, LiteRt, StatusError, litert
from appliance.runtimes.litert.interpreter import Call, Interpreter
from appliance.runtimes.litert.offered import offered_by, signature_def_of
from appliance.runtimes.litert.signatures import Slot, slots_of
from appliance.runtimes.memory import FileContent
from appliance.runtimes.model import DEFAULT_SIGNATURE, Array, Signature, check_dtypes, signature_of

ENGINE: Literal["litert"] = "litert"


class LiteRtModel:
    """Threads: predict() and bind() from any; close() once, when nobody calls."""

    engine = ENGINE

    def __init__(
        self,
        file: Path,
        description: Description,
        *,
        same_as: Mapping[str, str],
        threads: int,
        copies: int,
        engine_reason: str,
        digest: str,
        as_offered: bool = False,
    ) -> None:
        """Load the file and compile `copies`. Raises: LoadError, LoadRefused.

        With `as_offered` its signatures are what the file itself says, and not the description's.
        """
        self.engine_reason = engine_reason
        self.digest = digest
        self.signatures: Mapping[str, Signature] = description.signatures
        self.signature_defs: Mapping[str, bytes] = description.signature_defs
        self.metadata: Mapping[str, Any] = description.metadata
        self._threads = threads
        self._copies: list[_Copy] = []
        self._lock = threading.Lock()
        self._free: deque[_Copy] = deque()
        self._returned = threading.Condition(threading.Lock())
        self._waiting = 0  # guarded by _returned
        self._model = 0
        self._content: FileContent | None = None
        self._litert = litert()
        with _in_our_words(str(file)):
            self._content = FileContent(file)  # LiteRT reads it where it lies, as long as the model lives
            place = self._content.address, self._content.size
            try:
                self._model = self._litert.made("CreateModelFromBuffer", self._litert.environment, *place)
                self._slots = self._find_slots(file, same_as, as_offered=as_offered)
                self._free.extend(self._copy() for _ in range(copies))
            except (StatusError, LoadError):
                self.close()
                raise

    def _find_slots(self, file: Path, same_as: Mapping[str, str], *, as_offered: bool) -> dict[str, Slot]:
        """Raises: LoadRefused, StatusError."""
        if not as_offered:
            return slots_of(self._litert, self._model, self.signatures, same_as)
        try:
            slots = offered_by(self._litert, self._model)
        except LoadRefused as error:
            raise LoadRefused(f"{file} cannot be served: {error}") from error
        self.signatures = {key: slot.signature for key, slot in slots.items()}
        self.signature_defs = {key: signature_def_of(slot.signature) for key, slot in slots.items()}
        return slots

    def predict(self, inputs: Mapping[str, Array], signature: str = DEFAULT_SIGNATURE) -> dict[str, Array]:
        """Where more ask at once than there are copies, they wait for each other.

        Raises: InvalidInput, PredictError; RuntimeError after close().
        """
        try:
            copy = self._free.pop()
        except IndexError:
            copy = self._next()
        try:
            return copy.call(signature)(inputs)
        finally:
            self._give_back(copy)

    def run(
        self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """As predict(): LiteRT computes every output. It takes another shape only of a file that is served as it is.

        Raises: InvalidInput, PredictError; RuntimeError after close().
        """
        check_dtypes(signature_of(self.signatures, signature), inputs)
        found = self.predict(inputs, signature)
        return found if outputs is None else {alias: found[alias] for alias in outputs}

    def run_together(self, signatures: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """One after the other; all have to take the same inputs.

        Raises: InvalidInput, PredictError; RuntimeError after close().
        """
        return {key: self.run(key, inputs) for key in signatures}

    def bind(self, signature: str = DEFAULT_SIGNATURE) -> "Bound":
        """Take a copy out for the asker alone; it comes back when the bound call is dropped.

        Takes one that nobody uses, at once; where all are in use it compiles another. Raises: InvalidInput, LoadError.
        """
        signature_of(self.signatures, signature)
        try:
            copy = self._free.pop()
        except IndexError:
            with _in_our_words(f"another copy of {signature!r}"):
                copy = self._copy()
        return Bound(self, copy, signature)

    def release(self, copy: "_Copy") -> None:
        """Take back what was bound."""
        self._give_back(copy)

    def close(self) -> None:
        """Give the memory back. Calls that were bound must not be used any more."""
        with self._lock:
            copies, self._copies = self._copies, []
        for copy in copies:
            copy.close()
        self._free.clear()
        if self._model:
            self._litert.DestroyModel(self._model)
            self._model = 0
        if self._content is not None:
            self._content.close()

    def _give_back(self, copy: "_Copy") -> None:
        self._free.append(copy)
        if self._waiting:
            with self._returned:
                self._returned.notify()

    def _next(self) -> "_Copy":
        """Wait for the next copy that somebody gives back."""
        with self._returned:
            self._waiting += 1
            try:
                while True:
                    if not self._model:
                        raise RuntimeError("the model is closed")
                    with suppress(IndexError):
                        return self._free.pop()
                    self._returned.wait()
            finally:
                self._waiting -= 1

    def _copy(self) -> "_Copy":
        """Raises: StatusError."""
        if not self._model:
            raise RuntimeError("the model is closed")
        copy = _Copy(self._litert, self._model, self._slots, self._threads)
        with self._lock:
            self._copies.append(copy)
        return copy


class Bound:
    """One signature on a copy that belongs to one thread."""

    def __init__(self, model: LiteRtModel, copy: "_Copy", signature: str) -> None:
        self._model = model
        self._copy = copy
        self._call = copy.call(signature)

    def __call__(self, inputs: Mapping[str, Array], /) -> dict[str, Array]:
        """Raises: InvalidInput, PredictError."""
        return self._call(inputs)

    def __del__(self) -> None:
        self._model.release(self._copy)


class _Copy:
    def __init__(self, litert: LiteRt, model: int, slots: Mapping[str, Slot], threads: int) -> None:
        self._slots = slots
        self._interpreter = Interpreter(litert, model, threads)
        self._calls: dict[int, Call] = {}

    def call(self, signature: str) -> Call:
        """Raises: InvalidInput."""
        slot = self._slots.get(signature)
        if slot is None:
            signature_of({key: slot.signature for key, slot in self._slots.items()}, signature)
            raise RuntimeError(f"{signature!r} is a signature without a slot")
        found = self._calls.get(slot.index)
        if found is None:
            found = self._calls[slot.index] = Call(self._interpreter, slot)
        return found

    def close(self) -> None:
        for call in self._calls.values():
            call.close()
        self._interpreter.close()


@contextmanager
def _in_our_words(what: str) -> Iterator[None]:
    try:
        yield
    except StatusError as error:
        if error.code == OUT_OF_MEMORY:
            raise LoadError(f"{what} does not fit into memory; serve fewer versions at once") from error
        raise LoadRefused(f"LiteRT cannot run {what} ({error})") from error
