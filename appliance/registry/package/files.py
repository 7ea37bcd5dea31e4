"""The files of a package: their names, sizes and digests, and the one digest over all of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

RELEASE_FILE: Final = "release.json"
"""The signed release statement: a DSSE envelope."""
SIGNATURE_FILE: Final = "model.sig"
"""The OpenSSF model-signing signature: a Sigstore bundle."""
BESIDE: Final = frozenset({RELEASE_FILE, SIGNATURE_FILE})
"""What is about the content, and not part of it: the digest leaves them out."""


RELEASE_MAX_BYTES: Final = 4 << 20
"""A longer release.json is refused unread."""
SIGNATURE_MAX_BYTES: Final = 4 << 20
"""A longer model.sig is refused unread."""
FILES_MAX: Final = 4096
PATH_MAX_BYTES: Final = 512


@dataclass(frozen=True, slots=True, order=True)
class PackageFile:
    """One file of a package."""

    path: str
    """Relative, with forward slashes."""
    size: int
    """Bytes."""
    sha256: str
    """64 lower-case hexadecimal digits."""


def content_digest(files: Iterable[PackageFile]) -> str:
    """`sha256:...` of a package's content, from its list of files alone.

    The same that the runtimes compute from a folder, and that results carry as `model.digest`: over each file's name,
    size and SHA-256, in the order of the names' bytes, without `BESIDE`.
    """
    total = hashlib.sha256()
    for name, file in sorted((file.path.encode(), file) for file in files if file.path not in BESIDE):
        total.update(f"{len(name)}:".encode() + name)
        total.update(f"{file.size}:".encode())
        total.update(bytes.fromhex(file.sha256))
    return f"sha256:{total.hexdigest()}"
