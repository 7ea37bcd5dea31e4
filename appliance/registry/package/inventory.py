"""A package's folder: what lies in it, hashed, and whether it is what was signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.registry.package.files import PackageFile
from appliance.registry.package.keys import PublicKey
from appliance.registry.package.statement import Statement


@dataclass(frozen=True, slots=True)
class Verified:
    """A folder that is byte for byte what was signed, by two signatures."""

    folder: Path
    statement: Statement
    statement_key: PublicKey
    signature_key: PublicKey
    signature_covers_statement: bool
    """model.sig was made with release.json in place; otherwise before it was there."""


def list_folder(folder: Path) -> dict[str, int]:
    """Every file's relative path and size, without following links; empty folders do not count.

    Raises: Rejected(LINK) for links, devices, pipes and sockets, Rejected(PATH) for names that cannot be stored
    everywhere, Rejected(NOT_A_PACKAGE) where it is no folder or has too many files, OSError.
    """
    raise NotImplementedError


def hash_files(folder: Path, sizes: dict[str, int]) -> tuple[PackageFile, ...]:
    """SHA-256 of the named files, in the order of their paths; some threads share the work where it pays.

    Holds the interpreter's lock for microseconds a chunk. Raises: Rejected(CONTENT) where a size changed, OSError.
    """
    raise NotImplementedError


def verify_folder(folder: Path, statement: Statement, keys: Sequence[PublicKey]) -> Verified:
    """Every file is there and right, nothing else is, both signatures hold, input and ops are what they may be.

    `statement` was read before from the same release (`read_statement`); the folder's release.json has to say the same.
    About 0.1 s for 100 MB. Any thread. Nothing is written.
    Raises: Rejected with SIGNATURE, STATEMENT, CONTENT, EXTRA_FILE, MISSING_FILE, LINK, PATH, FORBIDDEN_OP, INPUT_SPEC,
    TOO_LARGE or NOT_A_PACKAGE; OSError where the disk fails.
    """
    raise NotImplementedError
