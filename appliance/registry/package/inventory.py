"""Is a folder byte for byte what was signed, and nothing else? The last gate before anything is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import (
    BESIDE,
    RELEASE_FILE,
    RELEASE_MAX_BYTES,
    SIGNATURE_FILE,
    SIGNATURE_MAX_BYTES,
    PackageFile,
)
from appliance.registry.package.folder import hash_files, list_folder, read_small
from appliance.registry.package.keys import PublicKey
from appliance.registry.package.model_signature import verify_model_signature
from appliance.registry.package.ops import scan_ops
from appliance.registry.package.paths import shown
from appliance.registry.package.statement import Statement, read_statement, write_statement
from appliance.registry.package.strict_json import NotStrict, read_json, write_json

__all__ = ["Verified", "hash_files", "input_of", "list_folder", "verify_folder"]

INSPECTION_FILE: Final = "assets.extra/inspection.json"
"""Labels, input and limits: what the box has to know of the model."""
GRAPH_FILE: Final = "saved_model.pb"
_INSPECTION_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Verified:
    """A folder that is byte for byte what was signed, by two signatures."""

    folder: Path
    statement: Statement
    statement_key: PublicKey
    signature_key: PublicKey
    signature_covers_statement: bool
    """model.sig was made with release.json in place; otherwise before it was there."""


def verify_folder(folder: Path, statement: Statement, keys: Sequence[PublicKey]) -> Verified:
    """Every file is there and right, nothing else is, both signatures hold, input and ops are what they may be.

    `statement` was read before from the same release (`read_statement`); the folder's release.json has to say the same.
    About 0.1 s for 100 MB. Any thread. Nothing is written.
    Raises: Rejected with SIGNATURE, STATEMENT, CONTENT, EXTRA_FILE, MISSING_FILE, LINK, PATH, FORBIDDEN_OP, INPUT_SPEC,
    TOO_LARGE or NOT_A_PACKAGE; OSError where the disk fails.
    """
    sizes = list_folder(folder)
    _check_names(sizes, statement)
    for name in sorted(BESIDE - sizes.keys()):
        raise Rejected(Refusal.SIGNATURE, f"{folder} has no {name}: it is not signed; `appliance sign` does that.")
    release = read_small(folder, RELEASE_FILE, RELEASE_MAX_BYTES)
    said, statement_key = read_statement(release, keys)
    if write_statement(said) != write_statement(statement):
        raise Rejected(
            Refusal.CONTENT,
            f"{RELEASE_FILE} in {folder} is that of release {said.release} of {said.model}, "
            f"and not of release {statement.release} of {statement.model} as announced.",
        )
    files = hash_files(folder, {name: size for name, size in sizes.items() if name != SIGNATURE_FILE})
    _check_files(files, statement)
    bundle = read_small(folder, SIGNATURE_FILE, SIGNATURE_MAX_BYTES)
    signature = verify_model_signature(bundle, {file.path: file.sha256 for file in files}, keys)
    if write_json(input_of(folder)) != write_json(statement.input):
        raise Rejected(
            Refusal.INPUT_SPEC, f"`input` in {INSPECTION_FILE} is not what the statement says; sign the package again."
        )
    scan_ops(folder)
    return Verified(folder, statement, statement_key, signature.key, signature.covers_statement)


def input_of(folder: Path) -> Mapping[str, Any]:
    """What the model wants to see: `input` of its inspection.json. Raises: Rejected(INPUT_SPEC), OSError."""
    try:
        content = read_small(folder, INSPECTION_FILE, _INSPECTION_MAX_BYTES)
        value = read_json(content, max_bytes=_INSPECTION_MAX_BYTES)
    except (NotStrict, Rejected) as error:
        raise Rejected(
            Refusal.INPUT_SPEC,
            f"{INSPECTION_FILE} of the package cannot be read ({str(error).rstrip('.')}); it has to say `input`.",
        ) from error
    said = value.get("input") if isinstance(value, dict) else None
    if not isinstance(said, dict):
        raise Rejected(Refusal.INPUT_SPEC, f"{INSPECTION_FILE} of the package has no `input`; say what the model sees.")
    return said


def _check_names(sizes: Mapping[str, int], statement: Statement) -> None:
    """Names and sizes first: they cost nothing, and most of what goes wrong shows there."""
    announced = {file.path: file.size for file in statement.files}
    if GRAPH_FILE not in announced:
        raise Rejected(Refusal.NOT_A_PACKAGE, f"The package has no {GRAPH_FILE}; package a SavedModel.")
    for name in sorted(announced.keys() - sizes.keys()):
        raise Rejected(Refusal.MISSING_FILE, f"{shown(name)} was signed and is not in the package.")
    for name in sorted(sizes.keys() - announced.keys() - BESIDE):
        raise Rejected(Refusal.EXTRA_FILE, f"{shown(name)} is in the package and was not signed.")
    for name, size in announced.items():
        if sizes[name] != size:
            raise Rejected(Refusal.CONTENT, f"{shown(name)} has {sizes[name]} bytes, and {size} were signed.")


def _check_files(files: Sequence[PackageFile], statement: Statement) -> None:
    there = {file.path: file.sha256 for file in files}
    for file in statement.files:
        if there[file.path] != file.sha256:
            raise Rejected(Refusal.CONTENT, f"{shown(file.path)} is not what was signed: its SHA-256 is another.")
