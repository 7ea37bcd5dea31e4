"""The release statement: what a publisher says, and signs, of one package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.registry.package.files import PackageFile
from appliance.registry.package.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Statement:
    """One release. Made by `read_statement` from bytes whose signature holds, or by the publisher."""

    model: str
    """The name that the box' configuration and every client use."""
    version: int
    """The number in TensorFlow Serving's layout; stands for one content for ever."""
    release: int
    """Rises with everything published for this model, also where an older version is published again."""
    digest: str
    """`content_digest` of `files`."""
    files: tuple[PackageFile, ...]
    """Everything in the package but `release.json` and `model.sig`."""
    lines: tuple[str, ...]
    """Patterns (`*` within a level, `**` over levels) of the lines it is for, as `acme/linz/hall2/line3`."""
    products: tuple[str, ...]
    """Products it is for; empty: whatever is made on these lines."""
    input: Mapping[str, Any]
    """What the model sees, as in assets.extra/inspection.json `input`."""
    issued: datetime
    expires: datetime
    """UTC, both. A box does not start an installation after `expires`; what serves goes on."""
    revokes: tuple[str, ...] = ()
    """Content digests that are not to be used any more."""
    min_appliance: str | None = None
    """The oldest appliance that can run it."""
    notes: str = ""
    """One line for people."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def write_statement(statement: Statement) -> bytes:
    """Canonical JSON: keys sorted, no blanks, UTF-8, moments as RFC 3339 in whole seconds with Z.

    Raises: Rejected(STATEMENT) and the others of `parse_statement`, where a box would not read it.
    """
    raise NotImplementedError


def parse_statement(payload: bytes) -> Statement:
    """Read a statement's own bytes, which somebody signed. Canonical bytes alone are taken.

    Raises: Rejected with STATEMENT, PATH (a file's name), CONTENT (the digest is not that of the files).
    """
    raise NotImplementedError


def read_statement(envelope: bytes, keys: Sequence[PublicKey]) -> tuple[Statement, PublicKey]:
    """The statement in a release.json, and the key that signed it.

    Raises: Rejected(SIGNATURE) before anything of the payload is read; then as `parse_statement`.
    """
    raise NotImplementedError
