"""Keys: EC P-256, whose public halves a box trusts and whose private halves stay with publishers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.errors import ApplianceError

KEY_MAX_BYTES = 16_384


class KeyUnusable(ApplianceError):
    """A key file is not what it has to be."""


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
    key: ec.EllipticCurvePrivateKey


def read_public_key(file: Path) -> PublicKey:
    """A PEM file with one EC P-256 public key. Raises: KeyUnusable."""
    try:
        raw = file.read_bytes()[:KEY_MAX_BYTES]
        key = serialization.load_pem_public_key(raw)
    except OSError as error:
        raise KeyUnusable(f"The key {file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise KeyUnusable(f"{file} is no public key in PEM; `appliance keys new` makes a pair.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnusable(f"{file} is no EC P-256 key, which is what signatures are made with here.")
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(hashlib.sha256(der).hexdigest(), file.name, key)


def read_public_keys(files: Iterable[Path]) -> tuple[PublicKey, ...]:
    """All of them, in order. Raises: KeyUnusable, also where two files hold the same key."""
    raise NotImplementedError


def read_private_key(file: Path, passphrase: bytes | None = None) -> PrivateKey:
    """A PEM file with one EC P-256 private key. Raises: PassphraseNeeded, KeyUnusable."""
    raise NotImplementedError


class PassphraseNeeded(KeyUnusable):
    """The private key is encrypted, and the passphrase is missing or wrong."""


def new_key_pair(private_file: Path, public_file: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Make a pair: PKCS8 in PEM, mode 0600, encrypted where there is a passphrase; and its public half.

    Never overwrites; leaves neither file where one cannot be written. Raises: KeyUnusable.
    """
    raise NotImplementedError
