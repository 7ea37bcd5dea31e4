"""The properties of a published message (MQTT 5, section 3.3.2.3) as bytes; pure.

paho's own take 40 µs a message, as much as everything else that it does with one. Most of a result's are those of the
result before it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

BINARY: Final = "application/octet-stream"
"""The content type of what is no text."""
_UTF_8: Final = b"\x01\x01"
"""Payload format indicator: the payload is text."""
_CONTENT_TYPE: Final = b"\x03"
_CORRELATION: Final = b"\x09"
_USER: Final = b"\x26"
_MORE: Final = 0x80


def packed(attributes: Mapping[str, str] | None, content_type: str | None, correlation: bytes | None) -> bytes:
    """The properties, their length in front; about 2 µs. Raises ValueError where one is longer than 65,535 bytes."""
    parts = [_beginning(content_type)]
    if correlation is not None:
        parts += _CORRELATION, _sized(correlation)
    if attributes:
        parts += [_attribute(name, value) for name, value in attributes.items()]
    whole = b"".join(parts)
    return _length(len(whole)) + whole


@lru_cache(maxsize=16)
def _beginning(content_type: str | None) -> bytes:
    if content_type is None:
        return _UTF_8
    named = _CONTENT_TYPE + _sized(content_type.encode())
    return named if content_type == BINARY else _UTF_8 + named


@lru_cache(maxsize=256)
def _attribute(name: str, value: str) -> bytes:
    return _USER + _sized(name.encode()) + _sized(value.encode())


def _sized(content: bytes) -> bytes:
    try:
        return len(content).to_bytes(2, "big") + content
    except OverflowError as error:
        msg = f"{len(content)} bytes are too many for a property"
        raise ValueError(msg) from error


def _length(number: int) -> bytes:
    encoded = bytearray()
    while number >= _MORE:
        encoded.append(number % _MORE | _MORE)
        number //= _MORE
    encoded.append(number)
    return bytes(encoded)
