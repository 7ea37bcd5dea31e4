"""`model.sig`: OpenSSF model signing v1.0, as the `model_signing` tool writes and reads it.

A Sigstore bundle v0.3 holds a DSSE envelope, that holds an in-toto statement v1, that lists every file's SHA-256.
Stricter than the tool: nothing but release.json and model.sig may be left out, SHA-256 and EC P-256 alone count.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import serialization

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.dsse import (
    ENVELOPE_MAX_BYTES,
    IN_TOTO_TYPE,
    envelope_from,
    refuse,
    sign_envelope,
    verify_envelope,
)
from appliance.registry.package.files import FILES_MAX, RELEASE_FILE, SIGNATURE_FILE, SIGNATURE_MAX_BYTES
from appliance.registry.package.keys import PrivateKey, PublicKey
from appliance.registry.package.paths import shown
from appliance.registry.package.strict_json import NotStrict, read_json, write_json

_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_IN_TOTO: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://model_signing/signature/v1.0"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """What a model.sig that holds says."""

    key: PublicKey
    covers_statement: bool
    """release.json is among the signed files."""


def verify_model_signature(bundle: bytes, digests: Mapping[str, str], keys: Sequence[PublicKey]) -> ModelSignature:
    """`digests`: path -> SHA-256 (hexadecimal) of every file in the folder but model.sig.

    Raises: Rejected(SIGNATURE), Rejected(CONTENT), Rejected(EXTRA_FILE), Rejected(MISSING_FILE).
    """
    hint, sealed = _open_bundle(bundle)
    envelope = envelope_from(sealed, SIGNATURE_FILE)
    key = verify_envelope(envelope, IN_TOTO_TYPE, keys, SIGNATURE_FILE)
    if hint not in {None, _hint(key)}:
        refuse(SIGNATURE_FILE, "it names another key than the one that signed it")
    try:
        signed, ignored = _read_manifest(read_json(envelope.payload, max_bytes=ENVELOPE_MAX_BYTES))
    except NotStrict as error:
        refuse(SIGNATURE_FILE, str(error), error)
    covers = RELEASE_FILE in signed
    left_out = frozenset() if covers else ignored & {RELEASE_FILE}
    _compare(signed, {path: digest for path, digest in digests.items() if path not in left_out})
    return ModelSignature(key, covers)


def sign_digests(name: str, digests: Mapping[str, str], key: PrivateKey) -> bytes:
    """A bundle that `model_signing verify key` accepts. `name`: the folder's, for people.

    Where release.json is not among `digests` the bundle says that it is to be ignored.
    """
    names = sorted(digests, key=lambda path: path.split("/"))
    root = hashlib.sha256(b"".join(bytes.fromhex(digests[name]) for name in names)).hexdigest()
    ignored = [SIGNATURE_FILE] if RELEASE_FILE in digests else [SIGNATURE_FILE, RELEASE_FILE]
    payload = {
        "_type": _IN_TOTO,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": ignored,
            },
            "resources": [{"name": path, "algorithm": "sha256", "digest": digests[path]} for path in names],
        },
    }
    bundle = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key.public)}, "tlogEntries": []},
        "dsseEnvelope": sign_envelope(IN_TOTO_TYPE, write_json(payload), [key]),
    }
    return write_json(bundle)


def _hint(key: PublicKey) -> str:
    """How the tool names a key: SHA-256 of its PEM file's usual form."""
    pem = key.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _open_bundle(bundle: bytes) -> tuple[object, object]:
    """The key's hint, and the envelope. Nothing may stand in a bundle, which nobody signs, that is not read."""
    try:
        value = read_json(bundle, max_bytes=SIGNATURE_MAX_BYTES)
    except NotStrict as error:
        refuse(SIGNATURE_FILE, str(error), error)
    if not isinstance(value, dict) or set(value) != {"mediaType", "verificationMaterial", "dsseEnvelope"}:
        refuse(SIGNATURE_FILE, "it is no Sigstore bundle with a DSSE envelope")
    if value["mediaType"] != _BUNDLE:
        refuse(SIGNATURE_FILE, f"its mediaType is not {_BUNDLE}")
    material = value["verificationMaterial"]
    key = material.get("publicKey") if isinstance(material, dict) else None
    if not isinstance(key, dict) or not set(key) <= {"hint"} or not isinstance(key.get("hint"), str | None):
        refuse(SIGNATURE_FILE, "it was not made with a bare key; use `appliance sign` or `model_signing sign key`")
    if set(material) - {"publicKey"} and material != {"publicKey": key, "tlogEntries": []}:
        refuse(SIGNATURE_FILE, "it carries entries of a transparency log, which nobody checks here")
    return key.get("hint"), value["dsseEnvelope"]


def _read_manifest(value: Any) -> tuple[dict[str, str], frozenset[str]]:
    """The signed files' digests, and what the signer left out. Raises: NotStrict."""
    if not isinstance(value, dict) or value.get("_type") != _IN_TOTO or value.get("predicateType") != _PREDICATE:
        raise NotStrict("its payload is no model signature v1.0")
    predicate, subject = value.get("predicate"), value.get("subject")
    if not isinstance(predicate, dict) or not isinstance(subject, list) or len(subject) != 1:
        raise NotStrict("its statement has no predicate, or not one subject")
    signed = _resources(predicate.get("resources"))
    root = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in signed.values())).hexdigest()
    if not isinstance(subject[0], dict) or subject[0].get("digest") != {"sha256": root}:
        raise NotStrict("its subject's digest is not that of its files")
    return signed, _ignored(predicate.get("serialization"))


def _resources(value: Any) -> dict[str, str]:
    """In the signer's order, which the root digest goes by."""
    if not isinstance(value, list) or not 0 < len(value) <= FILES_MAX + 1:
        raise NotStrict(f"it lists no files, or more than {FILES_MAX}")
    found: dict[str, str] = {}
    for one in value:
        if not isinstance(one, dict) or not isinstance(name := one.get("name"), str) or name in found:
            raise NotStrict("it lists a file without a name, or twice")
        digest = one.get("digest")
        if one.get("algorithm") != "sha256" or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise NotStrict(f"it has no SHA-256 for {shown(name)}")
        found[name] = digest
    return found


def _ignored(value: Any) -> frozenset[str]:
    if not isinstance(value, dict) or value.get("method") != "files" or value.get("hash_type") != "sha256":
        raise NotStrict("it was not made file by file with SHA-256")
    names = value.get("ignore_paths", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NotStrict("its ignore_paths are no list of names")
    return frozenset(names)


def _compare(signed: Mapping[str, str], there: Mapping[str, str]) -> None:
    for reason, odd, how in (
        (Refusal.EXTRA_FILE, there.keys() - signed.keys(), "is in the package and not signed in"),
        (Refusal.MISSING_FILE, signed.keys() - there.keys(), "is not in the package, and signed in"),
        (
            Refusal.CONTENT,
            {path for path in signed if signed[path] != there.get(path)},
            "is another than was signed in",
        ),
    ):
        if odd:
            raise Rejected(reason, f"{shown(min(odd))} {how} {SIGNATURE_FILE}; publish the package again.")
