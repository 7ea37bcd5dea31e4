"""Strings and base64 in JSON: bytes on our side, which need not be UTF-8."""

import binascii
import re
from typing import Any, Final

KEY: Final = "b64"
_SPECIAL: Final = re.compile(r'["\\\x00-\x1f]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPACES: Final = b" \t\n\v\f\r"


def quoted(string: bytes) -> str:
    """A JSON string as RapidJSON writes it: only quotes, backslashes and control characters are escaped.

    Encode it with `surrogateescape`: bytes that are not UTF-8 come out as they went in.
    """
    return '"' + _SPECIAL.sub(_escaped, string.decode("utf-8", "surrogateescape")) + '"'


def is_base64(value: Any) -> bool:
    """Whether it is an object with one member, `b64`, that is a string."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(KEY), bytes)


def from_base64(text: bytes) -> bytes | None:
    """The bytes meant; None where it is not the standard alphabet. Padding may be missing, spaces are skipped."""
    digits = text.translate(None, _SPACES) if any(space in text for space in (b"\n", b" ", b"\r", b"\t")) else text
    bare = digits.rstrip(b"=")
    padding = len(digits) - len(bare)
    if len(bare) % 4 == 1 or b"=" in bare or (padding and (padding > 2 or len(digits) % 4)):
        return None
    try:
        made = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        return None
    return made if len(made) == len(bare) * 6 // 8 else None  # what is not in the alphabet was skipped


def to_base64(content: bytes) -> str:
    """With padding."""
    return binascii.b2a_base64(content, newline=False).decode()


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return _SHORT.get(character) or f"\\u{ord(character):04X}"
