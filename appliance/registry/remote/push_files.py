"""What is sent of a package: its files with their digests, and release.json and model.sig beside them."""

import hashlib
from pathlib import Path

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import BESIDE, PackageFile
from appliance.registry.package.statement import Statement


def files_to_send(folder: Path, statement: Statement) -> tuple[PackageFile, ...]:
    """In the order of their paths. Raises: Rejected where the package is not signed."""
    beside = [_beside(folder / name) for name in sorted(BESIDE)]
    return tuple(sorted((*statement.files, *beside)))


def _beside(file: Path) -> PackageFile:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Rejected(
            Refusal.SIGNATURE, f"{file.parent} has no {file.name}: it is not signed; `appliance sign` does that."
        ) from error
    return PackageFile(file.name, len(raw), hashlib.sha256(raw).hexdigest())
