"""DSSE v1 envelopes: a payload, what type it is of, and signatures over both (secure-systems-lab/dsse, protocol.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.registry.package.keys import PrivateKey, PublicKey

STATEMENT_TYPE: Final = "application/vnd.inspection-appliance.release+json"
"""The payload of release.json."""
IN_TOTO_TYPE: Final = "application/vnd.in-toto+json"
"""The payload of model.sig."""
ENVELOPE_MAX_BYTES: Final = 4 << 20
SIGNATURES_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature, not judged yet."""

    keyid: str
    """A hint, unsigned: no decision rests on it. Empty where the envelope has none."""
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """As read; nothing is verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding."""
    raise NotImplementedError


def read_envelope(raw: bytes) -> Envelope:
    """Read an envelope of at most `ENVELOPE_MAX_BYTES`. Raises: Rejected(SIGNATURE)."""
    raise NotImplementedError


def envelope_from(value: object) -> Envelope:
    """The same from JSON that is parsed already (a bundle's `dsseEnvelope`). Raises: Rejected(SIGNATURE)."""
    raise NotImplementedError


def verify_envelope(envelope: Envelope, payload_type: str, keys: Sequence[PublicKey]) -> PublicKey:
    """The first of `keys` that signed it. One EC verification a signature and key, 0.1 ms each.

    Raises: Rejected(SIGNATURE) where none did, or where the payload is of another type.
    """
    raise NotImplementedError


def sign_envelope(payload_type: str, payload: bytes, keys: Sequence[PrivateKey]) -> dict[str, Any]:
    """An envelope, as JSON's values, with one signature by each key."""
    raise NotImplementedError
