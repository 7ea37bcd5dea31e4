"""`model.sig`: OpenSSF model signing v1.0, as the `model_signing` tool writes and reads it.

A Sigstore bundle v0.3 holds a DSSE envelope, that holds an in-toto statement v1, that lists every file's SHA-256.
Stricter than the tool: nothing but release.json and model.sig may be left out, SHA-256 and EC P-256 alone count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.registry.package.keys import PrivateKey, PublicKey


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
    raise NotImplementedError


def sign_digests(name: str, digests: Mapping[str, str], key: PrivateKey) -> bytes:
    """A bundle that `model_signing verify key` accepts. `name`: the folder's, for people.

    Where release.json is not among `digests` the bundle says that it is to be ignored.
    """
    raise NotImplementedError
