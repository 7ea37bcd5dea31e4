"""What the delivery process wants of one model, beside what serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_KEEP_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """Whole, at each change. Releases, by number."""

    candidate: int | None = None
    """To be loaded beside what serves."""
    keep: tuple[int, ...] = ()
    """To stay loaded, though they serve no more."""
    shadow: bool = False
    """An examiner wants to see the frames."""
    canary: bool = False
    """A part passes only where the candidate passes it too."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Wish":
        """As it comes over the link. Raises: KeyError, TypeError, ValueError."""
        candidate, keep = value["candidate"], value["keep"]
        if len(keep) > _KEEP_MAX:
            raise ValueError(f"{len(keep)} releases to keep; at most {_KEEP_MAX} fit beside a line's work")
        return cls(
            candidate=None if candidate is None else int(candidate),
            keep=tuple(int(release) for release in keep),
            shadow=bool(value["shadow"]),
            canary=bool(value["canary"]),
        )

    def alone(self) -> "Wish":
        """What is left of it when nobody watches the candidate any more."""
        return Wish(keep=self.keep)
