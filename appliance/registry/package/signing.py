"""The publisher's side: a statement about a folder, and both signatures. Statement first, then model.sig."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from appliance.registry.package.keys import PrivateKey
from appliance.registry.package.statement import Statement


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
    raise NotImplementedError


def sign_statement(statement: Statement, private_key: PrivateKey, *more: PrivateKey) -> bytes:
    """The bytes of release.json: a DSSE envelope with a signature by each key."""
    raise NotImplementedError


def sign_folder(folder: Path, private_key: PrivateKey) -> bytes:
    """The bytes of model.sig for what lies in `folder` now, an older model.sig left out; write release.json before.

    Raises: Rejected, OSError.
    """
    raise NotImplementedError
