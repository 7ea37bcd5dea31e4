"""The publisher's side: a statement about a folder, and both signatures. Statement first, then model.sig."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from appliance.registry.package.dsse import STATEMENT_TYPE, sign_envelope
from appliance.registry.package.files import BESIDE, SIGNATURE_FILE, content_digest
from appliance.registry.package.folder import hash_files, list_folder
from appliance.registry.package.inventory import input_of
from appliance.registry.package.keys import PrivateKey
from appliance.registry.package.model_signature import sign_digests
from appliance.registry.package.statement import Statement, parse_statement, write_statement
from appliance.registry.package.strict_json import write_json


def make_statement(
    folder: Path,
    *,
    model: str,
    version: int,
    release: int,
    lines: Sequence[str],
    issued: datetime,
    expires: datetime,
    products: Sequence[str] = (),
    revokes: Sequence[str] = (),
    min_appliance: str | None = None,
    notes: str = "",
) -> Statement:
    """State what lies in `folder`: all its files but release.json and model.sig, and inspection.json's `input`.

    Hashes everything. What a box would not read is refused here already.
    Raises: Rejected (a sentence on what to change), OSError.
    """
    sizes = {name: size for name, size in list_folder(folder).items() if name not in BESIDE}
    files = hash_files(folder, sizes)
    statement = Statement(
        model=model,
        version=version,
        release=release,
        digest=content_digest(files),
        files=files,
        lines=tuple(lines),
        products=tuple(products),
        input=input_of(folder),
        issued=issued.replace(microsecond=0),
        expires=expires.replace(microsecond=0),
        revokes=tuple(revokes),
        min_appliance=min_appliance,
        notes=notes,
    )
    return parse_statement(write_statement(statement))


def sign_statement(statement: Statement, private_key: PrivateKey, *more: PrivateKey) -> bytes:
    """The bytes of release.json: a DSSE envelope with a signature by each key. Raises: Rejected(STATEMENT)."""
    return write_json(sign_envelope(STATEMENT_TYPE, write_statement(statement), [private_key, *more]))


def sign_folder(folder: Path, private_key: PrivateKey) -> bytes:
    """The bytes of model.sig for what lies in `folder` now, an older model.sig left out; write release.json before.

    Raises: Rejected, OSError.
    """
    sizes = {name: size for name, size in list_folder(folder).items() if name != SIGNATURE_FILE}
    digests = {file.path: file.sha256 for file in hash_files(folder, sizes)}
    return sign_digests(folder.resolve().name or "model", digests, private_key)
