"""DSSE v1 envelopes: a payload, what type it is of, and signatures over both (secure-systems-lab/dsse, protocol.md)."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import RELEASE_FILE
from appliance.registry.package.keys import PrivateKey, PublicKey
from appliance.registry.package.paths import is_plain_text
from appliance.registry.package.strict_json import NotStrict, read_json

STATEMENT_TYPE: Final = "application/vnd.inspection-appliance.release+json"
"""The payload of release.json."""
IN_TOTO_TYPE: Final = "application/vnd.in-toto+json"
"""The payload of model.sig."""
ENVELOPE_MAX_BYTES: Final = 4 << 20
SIGNATURES_MAX: Final = 16
_SIGNATURE_MAX_BYTES: Final = 1024
_KEYID_MAX: Final = 256
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature, not judged yet."""

    keyid: str
    """Which key to try it with: `PublicKey.id`, or empty for any. Unsigned; no trust rests on it."""
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """As read; nothing is verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(raw: bytes, what: str = RELEASE_FILE) -> Envelope:
    """Read an envelope of at most `ENVELOPE_MAX_BYTES`; `what` names it to people. Raises: Rejected(SIGNATURE)."""
    try:
        value = read_json(raw, max_bytes=ENVELOPE_MAX_BYTES, max_depth=4)
    except NotStrict as error:
        refuse(what, str(error), error)
    return envelope_from(value, what)


def envelope_from(value: object, what: str = RELEASE_FILE) -> Envelope:
    """The same from JSON that is parsed already (a bundle's `dsseEnvelope`). Raises: Rejected(SIGNATURE)."""
    if not isinstance(value, dict) or set(value) != {"payload", "payloadType", "signatures"}:
        refuse(what, "it is no DSSE envelope of payload, payloadType and signatures")
    kind, signatures = value["payloadType"], value["signatures"]
    if not isinstance(kind, str) or len(kind) > _KEYID_MAX or not is_plain_text(kind):
        refuse(what, "its payloadType is no short text")
    if not isinstance(signatures, list) or len(signatures) > SIGNATURES_MAX:
        refuse(what, f"its signatures are no list of at most {SIGNATURES_MAX}")
    payload = _bytes(value["payload"], what, "payload", ENVELOPE_MAX_BYTES)
    return Envelope(kind, payload, tuple(_signature(one, what) for one in signatures))


def verify_envelope(
    envelope: Envelope, payload_type: str, keys: Sequence[PublicKey], what: str = RELEASE_FILE
) -> PublicKey:
    """The first of `keys` that signed it. One EC verification a signature and key, 0.1 ms each.

    Raises: Rejected(SIGNATURE) where none did, or where the payload is of another type.
    """
    if envelope.payload_type != payload_type:
        refuse(what, f"its payload is of the type {envelope.payload_type!r} and not {payload_type!r}")
    if not envelope.signatures:
        refuse(what, "nobody signed it")
    signed = pae(envelope.payload_type, envelope.payload)
    for key in keys:
        if any(_holds(key, one.value, signed) for one in envelope.signatures if one.keyid in {"", key.id}):
            return key
    trusted = ", ".join(f"{key.name} ({key.id[:12]})" for key in keys) or "none"
    raise Rejected(
        Refusal.SIGNATURE,
        f"No trusted key signed {what}: trusted are {trusted}, and it names "
        f"{', '.join(one.keyid[:12] or 'none' for one in envelope.signatures)}. Add the publisher's public key to "
        "trusted_keys, or sign with a key that is there.",
    )


def sign_envelope(payload_type: str, payload: bytes, keys: Sequence[PrivateKey]) -> dict[str, Any]:
    """An envelope, as JSON's values, with one signature by each key."""
    signed = pae(payload_type, payload)
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": key.public.id, "sig": base64.b64encode(key.key.sign(signed, _ALGORITHM)).decode()} for key in keys
        ],
    }


def refuse(what: str, why: str, cause: Exception | None = None) -> NoReturn:
    """Raises: Rejected(SIGNATURE), always."""
    raise Rejected(Refusal.SIGNATURE, f"{what} cannot be verified: {why}. Sign the package again.") from cause


def _holds(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.key.verify(signature, signed, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _signature(value: object, what: str) -> EnvelopeSignature:
    if not isinstance(value, dict) or "sig" not in value or not set(value) <= {"sig", "keyid"}:
        refuse(what, "a signature is no object of keyid and sig")
    keyid = value.get("keyid") or ""
    if not isinstance(keyid, str) or len(keyid) > _KEYID_MAX or not is_plain_text(keyid):
        refuse(what, "a signature's keyid is no short text")
    return EnvelopeSignature(keyid, _bytes(value["sig"], what, "sig", _SIGNATURE_MAX_BYTES))


def _bytes(value: object, what: str, name: str, max_bytes: int) -> bytes:
    """Base64, of either alphabet as the protocol wants it, in its one canonical spelling."""
    if not isinstance(value, str) or len(value) > max_bytes * 2:
        refuse(what, f"its {name} is no text in base64")
    plain = value.replace("-", "+").replace("_", "/")
    try:
        found = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        refuse(what, f"its {name} is no base64 ({error})", error)
    if base64.b64encode(found).decode() != plain or len(found) > max_bytes:
        refuse(what, f"its {name} is no base64 in its one spelling, or too long")
    return found
