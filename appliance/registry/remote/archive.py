"""A tar layer as a list of files: nothing is unpacked, its members are read where they lie.

The layer lies in a temporary file, its digest checked before a byte of it is understood. A gzipped one is
decompressed to a second, so the cost is once (tar) or at times twice (gzip) the layer's size on the disk.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.paths import shown

MEMBERS_MAX: Final = 10_000
_HEADER_MAX: Final = 1 << 20
"""No header of a tar, extended ones included, needs more bytes."""
_BLOCK: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS
_HOSTILE: Final = (
    tarfile.TarError,
    ValueError,
    OverflowError,
    EOFError,
    RecursionError,
    TypeError,
    LookupError,
    OSError,
)
"""What the standard library raises on made-up headers."""


@dataclass(frozen=True, slots=True)
class Member:
    """One plain file of an archive."""

    path: str
    size: int
    offset: int
    """Where its bytes begin in the uncompressed archive."""
    sha256: str


def decompress(packed: BinaryIO, plain: BinaryIO, max_bytes: int) -> None:
    """A gzip file to `plain`. Raises: Rejected(TOO_LARGE) above `max_bytes`, Rejected(NOT_A_PACKAGE)."""
    packed.seek(0)
    unzip = zlib.decompressobj(_GZIP)
    written = 0
    waiting = b""
    try:
        while data := waiting or packed.read(_BLOCK):
            if unzip.eof:
                unzip = zlib.decompressobj(_GZIP)  # gzip files may follow each other
            out = unzip.decompress(data, _BLOCK)
            waiting = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
            written += len(out)
            if written > max_bytes:
                raise Rejected(
                    Refusal.TOO_LARGE,
                    f"An archive unpacks to more than {max_bytes} bytes, the most by delivery.package_max_mb.",
                )
            plain.write(out)
    except zlib.error as error:
        raise Rejected(Refusal.NOT_A_PACKAGE, f"An archive is no gzip file ({error}); push it again.") from error
    if not unzip.eof:
        raise Rejected(Refusal.NOT_A_PACKAGE, "An archive's gzip file ends early; push it again.")


def list_members(archive: BinaryIO, max_bytes: int) -> tuple[Member, ...]:
    """Every file of an uncompressed tar. Links, devices and sparse files are refused, folders passed over.

    Names are as they are; whoever makes paths of them checks them. Reads it all, for the digests.
    Raises: Rejected(LINK), Rejected(TOO_LARGE), Rejected(NOT_A_PACKAGE).
    """
    archive.seek(0)
    try:
        with tarfile.open(fileobj=_Headers(archive), mode="r:") as opened:  # type: ignore[call-overload]
            headers = [(member.name, member.size, member.offset_data) for member in _plain(opened)]
    except _HOSTILE as error:
        raise Rejected(
            Refusal.NOT_A_PACKAGE, f"An archive is no tar that can be read ({error}); push it again."
        ) from error
    if sum(size for _, size, _ in headers) > max_bytes:
        raise Rejected(
            Refusal.TOO_LARGE, f"An archive holds more than {max_bytes} bytes, the most by delivery.package_max_mb."
        )
    return tuple(
        Member(name.removeprefix("./"), size, offset, _hash(archive, offset, size)) for name, size, offset in headers
    )


def _plain(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    count = 0
    while (member := opened.next()) is not None:
        count += 1
        if count > MEMBERS_MAX:
            raise Rejected(Refusal.TOO_LARGE, f"An archive has more than {MEMBERS_MAX} members.")
        if member.isdir():
            continue
        if not member.isreg() or member.issparse() or member.size < 0:
            raise Rejected(
                Refusal.LINK,
                f"An archive holds {shown(member.name)}, which is a link, a device or a sparse file; "
                f"packages hold plain files.",
            )
        yield member


def _hash(archive: BinaryIO, offset: int, size: int) -> str:
    total = hashlib.sha256()
    archive.seek(offset)
    while size:
        data = archive.read(min(_BLOCK, size))
        if not data:
            raise Rejected(Refusal.NOT_A_PACKAGE, "An archive ends in the middle of a file; push it again.")
        total.update(data)
        size -= len(data)
    return total.hexdigest()


class _Headers:
    """What tarfile may read of an archive: headers, and nothing of a size that only an attack has."""

    def __init__(self, archive: BinaryIO) -> None:
        self._archive = archive
        self.name = None

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _HEADER_MAX:
            raise Rejected(Refusal.NOT_A_PACKAGE, "An archive has a header of more than a megabyte.")
        return self._archive.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._archive.seek(offset, whence)

    def tell(self) -> int:
        return self._archive.tell()
