"""Stations on a wish's way from its source to the manager: what is a path at first is a loader in the end.

Each is given the next ear when it is built, and offers its own: `source -> router.aspire -> adapter.aspire -> manager`.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from appliance.serving.errors import ServingError
from appliance.serving.ids import ServableId
from appliance.serving.source import Aspire

logger = logging.getLogger(__name__)

InT = TypeVar("InT")
OutT = TypeVar("OutT")


@dataclass(frozen=True, slots=True)
class _Converted(Generic[InT, OutT]):
    """What came of one payload, once."""

    payload: InT
    result: OutT | ServingError


class SourceAdapter(Generic[InT, OutT]):
    """Turns each version's payload into another kind of payload, one by one, and passes the wish on.

    It keeps the source's promise: as long as a version comes with the very same payload it goes on with the very same
    result, and another payload makes another result. Errors go on as they are.

    Threads: any; one wish at a time passes through. Cost: that of `convert`, once for each content of a version.
    """

    def __init__(self, convert: Callable[[ServableId, InT], OutT], aspire: Aspire[OutT]) -> None:
        """`convert` is cheap; a ServingError that it raises is aspired as that version's error."""
        self._convert = convert
        self._aspire = aspire
        self._passing = threading.Lock()  # held while a wish passes: the next ear hears them in the order of ours
        self._converted: dict[str, dict[int, _Converted[InT, OutT]]] = {}  # guarded by _passing

    def aspire(self, name: str, versions: Mapping[int, InT | ServingError]) -> None:
        """Convert what is new, and pass the whole wish on; the versions keep their order. See `Aspire`."""
        with self._passing:
            before = self._converted.pop(name, {})
            converted: dict[int, _Converted[InT, OutT]] = {}
            wish: dict[int, OutT | ServingError] = {}
            for version, payload in versions.items():
                if isinstance(payload, ServingError):
                    wish[version] = payload
                    continue
                known = before.get(version)
                if known is None or known.payload is not payload:
                    known = _Converted(payload, self._result(ServableId(name, version), payload))
                converted[version] = known
                wish[version] = known.result
            if converted:
                self._converted[name] = converted
            self._aspire(name, wish)

    def _result(self, new: ServableId, payload: InT) -> OutT | ServingError:
        try:
            return self._convert(new, payload)
        except ServingError as error:
            logger.warning("%s cannot be loaded: %s", new, error)
            return error


class ErrorInjectingAdapter(Generic[OutT]):
    """Puts one error in every payload's place: where wishes end that nobody can fulfil.

    Threads: any.
    """

    def __init__(self, error: ServingError, aspire: Aspire[OutT]) -> None:
        self._error = error
        self._aspire = aspire

    def aspire(self, name: str, versions: Mapping[int, object]) -> None:
        """Pass the wish on with the error for each version. An empty one goes on as it is: it unloads."""
        self._aspire(name, dict.fromkeys(versions, self._error))
