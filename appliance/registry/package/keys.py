"""Keys: EC P-256, whose public halves a box trusts and whose private halves stay with publishers."""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from appliance.errors import ApplianceError

KEY_MAX_BYTES = 16_384
_MAKE = "`appliance keys new` makes a pair"
_ECDSA = "signatures are made with EC P-256 here"


class KeyUnusable(ApplianceError):
    """A key file is not what it has to be."""


class PassphraseNeeded(KeyUnusable):
    """The private key is encrypted, and the passphrase is missing or wrong."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key whose signatures count."""

    id: str
    """SHA-256 of the key in DER (SubjectPublicKeyInfo), 64 hexadecimal digits: DSSE's keyid."""
    name: str
    """The file's name, for people."""
    key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """One key to sign with. Never shown, never logged."""

    public: PublicKey
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def read_public_key(file: Path) -> PublicKey:
    """A PEM file with one EC P-256 public key. Raises: KeyUnusable."""
    raw = _content(file)
    if b"PRIVATE KEY-----" in raw:
        raise KeyUnusable(f"{file} is a private key; give its public half here, and keep it where it was made.")
    try:
        key = serialization.load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{file} is no public key in PEM; {_MAKE}.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnusable(f"{file} is {_kind(key)}, and {_ECDSA}; {_MAKE}.")
    return _public(key, file.name)


def read_public_keys(files: Iterable[Path]) -> tuple[PublicKey, ...]:
    """All of them, in order. Raises: KeyUnusable, also where two files hold the same key."""
    found: dict[str, Path] = {}
    keys = []
    for file in files:
        key = read_public_key(file)
        if key.id in found:
            raise KeyUnusable(f"{file} and {found[key.id]} hold the same key; name it once.")
        found[key.id] = file
        keys.append(key)
    return tuple(keys)


def read_private_key(file: Path, passphrase: bytes | None = None) -> PrivateKey:
    """A PEM file with one EC P-256 private key. A passphrase for a key that needs none is left unused.

    Raises: PassphraseNeeded, KeyUnusable.
    """
    raw = _content(file)
    encrypted = b"ENCRYPTED" in raw
    if encrypted and not passphrase:
        raise PassphraseNeeded(f"The private key {file} is encrypted; give its passphrase.")
    try:
        key = serialization.load_pem_private_key(raw, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise PassphraseNeeded(f"The private key {file} does not open with this passphrase; try again.") from error
        raise KeyUnusable(f"{file} is no private key in PEM; {_MAKE}.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnusable(f"{file} is {_kind(key)}, and {_ECDSA}; {_MAKE}.")
    return PrivateKey(_public(key.public_key(), file.name), key)


def new_key_pair(private_file: Path, public_file: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Make a pair: PKCS8 in PEM, mode 0600, encrypted where there is a passphrase; and its public half.

    Never overwrites; leaves neither file where one cannot be written. Raises: KeyUnusable.
    """
    if private_file == public_file:
        raise KeyUnusable(f"Both halves of a key cannot be in one file, {private_file}; name two.")
    key = ec.generate_private_key(ec.SECP256R1())
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for file in (private_file, public_file):
        if file.exists() or file.is_symlink():
            raise KeyUnusable(f"{file} is there already and stays as it is; choose another name.")
    _write_new(private_file, private, 0o600)
    try:
        _write_new(public_file, public, 0o644)
    except KeyUnusable:
        private_file.unlink()
        raise
    return PrivateKey(_public(key.public_key(), private_file.name), key)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(KEY_MAX_BYTES + 1)
    except OSError as error:
        raise KeyUnusable(f"The key {file} cannot be read: {error.strerror}.") from error
    if len(raw) > KEY_MAX_BYTES:
        raise KeyUnusable(f"{file} is longer than {KEY_MAX_BYTES} bytes, which no key is.")
    return raw


def _public(key: ec.EllipticCurvePublicKey, name: str) -> PublicKey:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(hashlib.sha256(der).hexdigest(), name, key)


def _kind(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return "an RSA key"
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return "an Ed25519 key"
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return f"an EC key on the curve {key.curve.name}"
    return f"a key of the kind {type(key).__name__}"


def _write_new(file: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never over another: a link to a new name fails where the name is taken."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.link(partial, file)
        _sync_folder(file.parent)
    except FileExistsError as error:
        raise KeyUnusable(f"{file} is there already and stays as it is; choose another name.") from error
    except OSError as error:
        raise KeyUnusable(f"The key cannot be written to {file}: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
