"""SHA-256 of files, about 1 s a GB; the interpreter's lock is free meanwhile."""

import hashlib
import os
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 4 << 20


def sha256_of(path: Path, *, from_disk: bool = False) -> str:
    """64 hexadecimal digits. `from_disk`: ask the kernel to forget its copy first. Raises OSError."""
    content = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if from_disk:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        chunk = bytearray(min(_CHUNK_BYTES, max(1, os.fstat(file.fileno()).st_size)))
        view = memoryview(chunk)
        while count := file.readinto(chunk):
            content.update(view[:count])
    return content.hexdigest()
