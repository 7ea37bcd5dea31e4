"""A box' own place among all boxes: drawn by a hash, so that nobody has to remember it, and no two draws are one."""

import hashlib
from typing import Final

BUCKETS: Final = 10_000


def bucket_of(box_id: str, key: str) -> int:
    """0..9999: in the ring of `percent` where it is below percent x 100. A larger ring holds the smaller."""
    return int.from_bytes(_hash(box_id, key)[:8], "big") % BUCKETS


def share_of(box_id: str, key: str) -> float:
    """0 <= share < 1: when within a spread. Of other bits than the bucket: a ring of 1 % is spread as wide as all."""
    return int.from_bytes(_hash(box_id, key)[8:14], "big") / 2**48


def _hash(box_id: str, key: str) -> bytes:
    return hashlib.sha256(f"{box_id}\n{key}".encode()).digest()
