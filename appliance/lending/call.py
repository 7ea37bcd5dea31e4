"""What the borrower asks for, beside the tensors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from appliance.lending.wire import WireError


@dataclass(frozen=True, slots=True)
class Call:
    """One run of one version."""

    name: str
    version: int | None
    """None: the latest, at the moment when it runs."""
    digest: str
    """Of the version that the request was checked against."""
    signatures: Sequence[str]
    """Exactly one, unless they are to run `together`."""
    outputs: Sequence[str] | None
    """Those wanted of a single signature; None: all."""
    deadline_s: float | None
    """CLOCK_MONOTONIC, which is the same in every process of the box."""
    together: bool = False

    def as_json(self) -> dict[str, Any]:
        """The form it travels in."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Call":
        """The inverse of `as_json`, for what a stranger may have written. Raises: WireError."""
        try:
            call = cls(**value)
        except TypeError as error:
            raise WireError(f"a request on the wire lacks something, or has too much: {error}") from error
        if not all(fits(value[field]) for field, fits in _KINDS.items() if field in value):
            raise WireError("a request on the wire holds something of another kind")
        return call


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str),
    "version": lambda value: value is None or type(value) is int,
    "digest": lambda value: isinstance(value, str),
    "signatures": lambda value: _are_names(value) and bool(value),
    "outputs": lambda value: value is None or _are_names(value),
    "deadline_s": lambda value: isinstance(value, float | int | None),
    "together": lambda value: isinstance(value, bool),
}
