"""When a certificate ends: the one date of it that a person has to know in time."""

import ssl
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 1_048_576
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_SEQUENCE: Final = 0x30
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_VERSION: Final = 0xA0
_LONG_LENGTH: Final = 0x80
_CENTURY_TURNS: Final = 50


def end_of(file: Path) -> datetime | None:
    """When the first certificate in a PEM file ends; None where it cannot be told."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_BYTES).decode("ascii", "replace")
        first = text[text.index(_BEGIN) : text.index(_END) + len(_END)]
        return _not_after(ssl.PEM_cert_to_DER_cert(first))
    except (OSError, ValueError, IndexError):
        return None


def end_of_peer(sock: ssl.SSLSocket) -> datetime | None:
    """When the certificate that the other side showed ends; None where it cannot be told."""
    found = (sock.getpeercert() or {}).get("notAfter")
    if not isinstance(found, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(found), timezone.utc)


def _not_after(der: bytes) -> datetime:
    """X.509: Certificate { tbs { [version], serial, signature, issuer, validity { notBefore, notAfter } ... } ... }."""
    _, certificate, _ = _element(der)
    _, tbs, _ = _element(certificate)
    tag, _, rest = _element(tbs)
    if tag == _VERSION:
        _, _, rest = _element(rest)
    for _ in ("signature", "issuer"):
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        msg = "no validity"
        raise ValueError(msg)
    _, _, rest = _element(validity)
    tag, text, _ = _element(rest)
    return _time(tag, text.decode("ascii"))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element's tag and content, and what follows it."""
    tag, length, begin = data[0], data[1], 2
    if length & _LONG_LENGTH:
        begin += length & ~_LONG_LENGTH
        length = int.from_bytes(data[2:begin], "big")
    return tag, data[begin : begin + length], data[begin + length :]


def _time(tag: int, text: str) -> datetime:
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < _CENTURY_TURNS else "19") + text
    elif tag != _GENERALIZED_TIME:
        msg = f"{tag:#x} is no time"
        raise ValueError(msg)
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
