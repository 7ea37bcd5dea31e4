"""What things cost in the simulation; measured on Debian's docker-registry 2.8.2 where nothing else is said."""

from dataclasses import dataclass
from typing import Final

MB: Final = 1_000_000
DAY_S: Final = 86_400


@dataclass(frozen=True)
class Costs:
    """Bytes and rates."""

    head_bytes: int = 539
    """A look that finds nothing new: 147 out, 392 back."""
    handshake_bytes: int = 4500
    """A fresh TLS connection more; from memory, not measured."""
    manifest_bytes: int = 4000
    registry_requests_s: int = 280
    """HEAD, on two cores; beyond it the model says 429 and Retry-After."""
    retry_after_s: float = 30.0
    registry_bytes_s: float = 100.0 * MB
    """1 Gbit/s at 80 %."""
    uplink_bytes_s: float = 2.5 * MB
    """Of one site: 20 Mbit/s, shared by its boxes."""
    lan_bytes_s: float = 100.0 * MB
    """From a site's mirror to its boxes, together."""


@dataclass(frozen=True)
class Package:
    """One layer a file; a box fetches only what it does not hold."""

    files: tuple[int, ...]
    """Bytes of each."""
    kept: tuple[int, ...] = ()
    """Bytes of those that the boxes hold already."""

    @property
    def fetched(self) -> int:
        return sum(self.files) - sum(self.kept)

    @property
    def requests(self) -> int:
        """The manifest, then each file that is missing; the HEAD came before."""
        return 1 + len(self.files) - len(self.kept)


NEW_MODEL: Final = Package((96 * MB, 2 * MB, 1 * MB, 900_000, 60_000, 30_000, 8_000, 2_000))
"""100 MB: weights, graph, golden samples, labels, card, statement, signature."""
SAME_WEIGHTS: Final = Package((189 * MB, 2_000_000, 60_000), kept=(189 * MB,))
"""A re-export of the same network: only saved_model.pb and fingerprint.pb differ (measured: 2.06 of 191 MB)."""
