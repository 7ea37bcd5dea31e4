"""Signs a package: its release statement, and the model-signing signature over all of it."""

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from appliance.publishing.errors import PublishError
from appliance.publishing.lint import as_text, has_errors, lint
from appliance.publishing.packaging import ABOUT
from appliance.registry.errors import Rejected
from appliance.registry.package.files import RELEASE_FILE, SIGNATURE_FILE
from appliance.registry.package.inventory import hash_files, list_folder, verify_folder
from appliance.registry.package.keys import PrivateKey, PublicKey, read_private_key
from appliance.registry.package.model_signature import verify_model_signature
from appliance.registry.package.signing import make_statement, sign_folder, sign_statement
from appliance.registry.package.statement import Statement

_YEAR: Final = timedelta(days=365)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SigningOrder:
    """What `appliance sign` was asked for."""

    folder: Path
    key: Path
    """The private half, PEM."""
    release: int
    lines: tuple[str, ...] = ("**",)
    products: tuple[str, ...] = ()
    issued: datetime | None = None
    """None: now."""
    expires: datetime | None = None
    """None: a year after `issued`."""
    revokes: tuple[str, ...] = ()
    notes: str = ""
    min_appliance: str | None = None
    model: str | None = None
    """None, these two: as the package's assets.extra/package.json says."""
    version: int | None = None
    keep_signature: bool = False
    """Keep the model.sig that the model_signing tool wrote, where it holds."""
    signature_key: PublicKey | None = None
    """Whose signature is kept; None: that of `key`."""
    force: bool = False
    """Sign in spite of lint errors."""
    passphrase: bytes | None = None


def sign(order: SigningOrder) -> Statement:
    """Write release.json and model.sig. About 0.5 s for 100 MB. Raises: PublishError, KeyUnusable, Rejected."""
    key = read_private_key(order.key, order.passphrase)
    _check(order)
    statement = _statement(order)
    if order.keep_signature:
        _check_kept(order, key)
    release, signature = order.folder / RELEASE_FILE, order.folder / SIGNATURE_FILE
    try:
        if not order.keep_signature:
            signature.unlink(missing_ok=True)
        _write(release, sign_statement(statement, key))
        if not order.keep_signature:
            _write(signature, sign_folder(order.folder, key))
    except OSError as error:
        raise PublishError(f"{order.folder} could not be written to: {error.strerror}.") from error
    trusted = [key.public] if order.signature_key is None else [key.public, order.signature_key]
    verify_folder(order.folder, statement, trusted)
    return statement


def about(folder: Path) -> tuple[str | None, int | None]:
    """The model and the version that the package says it is; None where it does not. Raises: PublishError."""
    try:
        said = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return str(said["model"]), int(said["version"])
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishError(f"{folder / ABOUT} cannot be read ({error}); package the model again.") from error


def _check(order: SigningOrder) -> None:
    for digest in order.revokes:
        if not _DIGEST.fullmatch(digest):
            raise PublishError(f"{digest!r} is no content digest (sha256: and 64 digits); `appliance sign` printed it.")
    findings = lint(order.folder)
    if has_errors(findings) and not order.force:
        raise PublishError(f"It is not signed:\n{as_text(order.folder, findings)}\n--force signs it in spite of that.")


def _statement(order: SigningOrder) -> Statement:
    model, version = about(order.folder)
    for what, said, given in (("model", model, order.model), ("version", version, order.version)):
        if said is not None and given is not None and said != given:
            raise PublishError(
                f"The package says that its {what} is {said}, and --{what} says {given}; package it again."
            )
    name, number = order.model or model, order.version if order.version is not None else version
    if name is None or number is None:
        raise PublishError(f"{order.folder} does not say which model and version it is; give --model and --version.")
    issued = (order.issued or datetime.now(timezone.utc)).replace(microsecond=0)
    return make_statement(
        order.folder,
        model=name,
        version=number,
        release=order.release,
        lines=order.lines,
        issued=issued,
        expires=(order.expires or issued + _YEAR).replace(microsecond=0),
        products=order.products,
        revokes=order.revokes,
        min_appliance=order.min_appliance,
        notes=order.notes,
    )


def _check_kept(order: SigningOrder, key: PrivateKey) -> None:
    """Raises: PublishError where model.sig does not hold for the folder as it is, without release.json."""
    file = order.folder / SIGNATURE_FILE
    if not file.is_file():
        raise PublishError(f"{order.folder} has no {SIGNATURE_FILE} to keep; sign with the model_signing tool first.")
    trusted = [order.signature_key or key.public]
    sizes = {path: size for path, size in list_folder(order.folder).items() if path != SIGNATURE_FILE}
    digests = {one.path: one.sha256 for one in hash_files(order.folder, sizes)}
    try:
        kept = verify_model_signature(file.read_bytes(), digests, trusted)
    except Rejected as refusal:
        raise PublishError(
            f"{file} does not hold: {refusal} Sign again with --ignore-paths {order.folder / RELEASE_FILE}, "
            "and name the key's public half with --signature-key."
        ) from refusal
    if kept.covers_statement:
        raise PublishError(
            f"{file} covers the {RELEASE_FILE} that is there, which would change now; sign with model_signing and "
            f"--ignore-paths {order.folder / RELEASE_FILE}."
        )


def _write(file: Path, content: bytes) -> None:
    fresh = file.with_name(f".{file.name}.fresh")
    with fresh.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
