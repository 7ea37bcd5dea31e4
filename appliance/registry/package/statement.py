"""The release statement: what a publisher says, and signs, of one package."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package import fields
from appliance.registry.package.dsse import STATEMENT_TYPE, read_envelope, verify_envelope
from appliance.registry.package.files import BESIDE, FILES_MAX, PATH_MAX_BYTES, PackageFile, content_digest
from appliance.registry.package.keys import PublicKey
from appliance.registry.package.paths import check_paths
from appliance.registry.package.strict_json import NotStrict, read_json, write_json

SCHEMA_VERSION: Final = 1
STATEMENT_MAX_BYTES: Final = 2 << 20
_INT64_MAX: Final = (1 << 63) - 1
_SIZE_MAX: Final = 1 << 50
"""Bytes of one file. No limit on what a box takes, which its configuration has."""
_MODEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LINE: Final = re.compile(r"[^/]+(/[^/]+)*")
_APPLIANCE: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")
_FILE_FIELDS: Final = frozenset({"path", "size", "sha256"})


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


_FIELDS: Final = frozenset(Statement.__dataclass_fields__) | {"schema_version"}


def write_statement(statement: Statement) -> bytes:
    """Canonical JSON: keys sorted, no blanks, UTF-8, files by name, moments in whole seconds of UTC with Z.

    Raises: Rejected as `parse_statement`, where a box would not read it.
    """
    payload = _canonical(statement)
    parse_statement(payload)
    return payload


def parse_statement(payload: bytes) -> Statement:
    """Read a statement's own bytes, which somebody signed. Canonical bytes alone are taken.

    Raises: Rejected with STATEMENT, PATH (a file's name), CONTENT (the digest is not that of the files).
    """
    try:
        statement = _statement(read_json(payload, max_bytes=STATEMENT_MAX_BYTES))
    except NotStrict as error:
        raise Rejected(Refusal.STATEMENT, f"The release statement cannot be used: {error}. Sign again.") from error
    check_paths(file.path for file in statement.files)
    if _canonical(statement) != payload:
        raise Rejected(
            Refusal.STATEMENT, "The release statement is not in its canonical form; sign it with `appliance sign`."
        )
    if content_digest(statement.files) != statement.digest:
        raise Rejected(Refusal.CONTENT, "The release statement's digest is not that of its files; sign again.")
    return statement


def read_statement(envelope: bytes, keys: Sequence[PublicKey]) -> tuple[Statement, PublicKey]:
    """The statement in a release.json, and the key that signed it.

    Raises: Rejected(SIGNATURE) before anything of the payload is read; then as `parse_statement`.
    """
    sealed = read_envelope(envelope)
    key = verify_envelope(sealed, STATEMENT_TYPE, keys)
    return parse_statement(sealed.payload), key


def _statement(value: Any) -> Statement:
    said = fields.the_object(value, "it", _FIELDS)
    fields.the_number(said["schema_version"], "schema_version", SCHEMA_VERSION, SCHEMA_VERSION)
    lines = fields.texts(said["lines"], "lines", 256, 256, _LINE)
    if not lines:
        raise NotStrict('lines names no line; "**" stands for all')
    issued, expires = fields.the_moment(said["issued"], "issued"), fields.the_moment(said["expires"], "expires")
    if expires <= issued:
        raise NotStrict("expires is not after issued")
    needs = said["min_appliance"]
    return Statement(
        model=fields.the_text(said["model"], "model", 64, _MODEL),
        version=fields.the_number(said["version"], "version", 0, _INT64_MAX),
        release=fields.the_number(said["release"], "release", 1, _INT64_MAX),
        digest=fields.the_digest(said["digest"], "digest"),
        files=tuple(_file(one) for one in fields.the_list(said["files"], "files", FILES_MAX, 1)),
        lines=lines,
        products=fields.texts(said["products"], "products", 256, 128),
        input=fields.the_object(said["input"], "input"),
        issued=issued,
        expires=expires,
        revokes=fields.texts(said["revokes"], "revokes", 1024, 71, fields.DIGEST),
        min_appliance=None if needs is None else fields.the_text(needs, "min_appliance", 32, _APPLIANCE),
        notes=fields.the_text(said["notes"], "notes", 1000, least=0),
    )


def _file(value: Any) -> PackageFile:
    said = fields.the_object(value, "a file", _FILE_FIELDS)
    path = said["path"]
    if not isinstance(path, str) or len(path) > PATH_MAX_BYTES:
        raise NotStrict(f"a file's path is no text of at most {PATH_MAX_BYTES} characters")
    if path.casefold() in BESIDE:
        raise NotStrict(f"it lists {path}, which stands beside the content")
    return PackageFile(
        path,
        fields.the_number(said["size"], "a file's size", 0, _SIZE_MAX),
        fields.the_text(said["sha256"], "a file's sha256", 64, _SHA256),
    )


def _canonical(statement: Statement) -> bytes:
    value = {
        "schema_version": SCHEMA_VERSION,
        "model": statement.model,
        "version": statement.version,
        "release": statement.release,
        "digest": statement.digest,
        "files": [
            {"path": file.path, "size": file.size, "sha256": file.sha256}
            for file in sorted(statement.files, key=lambda file: file.path.encode())
        ],
        "lines": list(statement.lines),
        "products": list(statement.products),
        "input": statement.input,
        "issued": fields.as_moment(statement.issued),
        "expires": fields.as_moment(statement.expires),
        "revokes": list(statement.revokes),
        "min_appliance": statement.min_appliance,
        "notes": statement.notes,
    }
    try:
        return write_json(value)
    except NotStrict as error:
        raise Rejected(Refusal.STATEMENT, f"The release statement cannot be written: {error}.") from error
