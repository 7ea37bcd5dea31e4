"""JSON as TensorFlow Serving reads it (RapidJSON with NaN and Infinity allowed), in bounded time and memory.

What other parsers forbid and this one has to take: bytes behind the document, a byte order mark, `NaN`, `Inf`, text
that is not UTF-8, a key twice (the first counts), nesting of any depth. `3` and `3.0` stay different.

A value is None, a bool, an int (64 bits), a float, bytes (a string), a list, a dict with text for keys, or `Numbers`
in the place of a list that is long, regular and of numbers only.
"""

import math
import re
from typing import Any, Final

import numpy as np

from appliance.api.rest.numbers import Numbers, numbers_of
from appliance.dataplane import Code, RequestError

VALUES_MAX: Final = 1_000_000
"""Values outside of `Numbers`, and escapes in strings: one after the other is read by Python, 1 µs each."""
NUMBERS_FROM: Final = 256
"""Bytes of a list from which on it is tried as `Numbers`."""

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_NOT_FINITE: Final = re.compile(rb"(-?)(?:NaN|Inf(inity)?)")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{4}")
_WORDS: Final = {b"n": (b"null", None), b"t": (b"true", True), b"f": (b"false", False)}
_ESCAPES: Final = {
    b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t",
}  # fmt: skip
_LONGEST_INTEGER: Final = 20  # digits of 2^64 - 1
_INT64_MIN: Final = -(2**63)
_UINT64_MAX: Final = 2**64 - 1


def read(text: bytes, *, numbers_from: int = NUMBERS_FROM) -> Any:
    """Read the value that `text` begins with. Raises: RequestError (INVALID_ARGUMENT) in RapidJSON's words."""
    if not text:
        raise RequestError(Code.INVALID_ARGUMENT, "JSON Parse error: The document is empty")
    return _Reader(text, numbers_from).document()


class _Reader:
    def __init__(self, text: bytes, numbers_from: int) -> None:
        self._text = text
        self._at = 0
        self._left = VALUES_MAX
        self._numbers_from = numbers_from
        self._tried_until = 0  # up to here no list is worth a try as Numbers
        self._next = dict.fromkeys((b'"', b"{", b"}"), -1)  # where each is found next

    def document(self) -> Any:
        if self._text.startswith(_BOM):
            self._at = len(_BOM)
        self._skip()
        if self._at >= len(self._text):
            raise self._wrong("The document is empty.")
        return self._value()

    def _value(self) -> Any:
        """A value, however deep: open lists and objects are on a stack of our own."""
        open_ones: list[Any] = []
        keys: list[str] = []
        while True:
            self._count()
            byte = self._peek()
            if byte == b"[":
                value, opened = self._list()
            elif byte == b"{":
                value, opened = self._object(keys)
            else:
                value, opened = self._string() if byte == b'"' else self._scalar(byte), False
            if opened:
                open_ones.append(value)
                continue
            while open_ones:
                self._skip()
                if self._goes_on(open_ones[-1], value, keys):
                    break
                value = open_ones.pop()
            else:
                return value

    def _goes_on(self, parent: Any, value: Any, keys: list[str]) -> bool:
        """Put `value` where it belongs; whether another one follows in the same list or object."""
        byte = self._peek()
        if isinstance(parent, list):
            parent.append(value)
            if byte not in {b",", b"]"}:
                raise self._wrong("Missing a comma or ] after an array element.")
        else:
            parent.setdefault(keys.pop(), value)
            if byte not in {b",", b"}"}:
                raise self._wrong("Missing a comma or } after an object member.")
        self._at += 1
        if byte != b",":
            return False
        self._skip()
        if isinstance(parent, dict):
            keys.append(self._key())
        return True

    def _list(self) -> tuple[Any, bool]:
        """A whole list, or one that has been opened."""
        numbers = self._numbers()
        if numbers is not None:
            return numbers, False
        self._at += 1
        self._skip()
        if self._peek() == b"]":
            self._at += 1
            return [], False
        return [], True

    def _object(self, keys: list[str]) -> tuple[Any, bool]:
        self._at += 1
        self._skip()
        if self._peek() == b"}":
            self._at += 1
            return {}, False
        keys.append(self._key())
        return {}, True

    def _key(self) -> str:
        if self._peek() != b'"':
            raise self._wrong("Missing a name for object member.")
        key = self._string().decode("utf-8", "surrogateescape")
        self._skip()
        if self._peek() != b":":
            raise self._wrong("Missing a colon after a name of object member.")
        self._at += 1
        self._skip()
        return key

    def _numbers(self) -> Numbers | None:
        """The list that begins here, if nothing but numbers stands before the next string or object."""
        begin = self._at
        if begin < self._tried_until:
            return None
        until = min(self._find(byte) for byte in self._next)
        end = self._text.rfind(b"]", begin, until) + 1
        if end - begin < self._numbers_from:
            self._tried_until = until
            return None
        found = numbers_of(self._text[begin:end])
        if found is None:
            self._tried_until = until
            return None
        self._at = end
        return found

    def _find(self, byte: bytes) -> int:
        if self._next[byte] < self._at:
            at = self._text.find(byte, self._at)
            self._next[byte] = at if at >= 0 else len(self._text)
        return self._next[byte]

    def _string(self) -> bytes:
        self._at += 1
        end = self._text.find(b'"', self._at)
        if end >= 0 and _is_plain(found := self._text[self._at : end]):
            self._at = end + 1
            return found
        return self._string_with_escapes()

    def _string_with_escapes(self) -> bytes:
        parts: list[bytes] = []
        while True:
            plain = _PLAIN.match(self._text, self._at)
            assert plain is not None
            parts.append(plain.group())
            self._at = plain.end()
            byte = self._peek()
            if byte == b'"':
                self._at += 1
                return b"".join(parts)
            if byte in {b"", b"\0"}:
                raise self._wrong("Missing a closing quotation mark in string.")
            if byte != b"\\":
                raise self._wrong("Invalid encoding in string.")
            self._count()
            parts.append(self._escape())

    def _escape(self) -> bytes:
        letter = self._text[self._at + 1 : self._at + 2]
        if letter == b"u":
            return self._unicode()
        if letter not in _ESCAPES:
            raise self._wrong("Invalid escape character in string.")
        self._at += 2
        return _ESCAPES[letter]

    def _unicode(self) -> bytes:
        begin = self._at
        code = self._hex(begin + 2, begin)
        end = begin + 6
        if 0xD800 <= code <= 0xDFFF:
            low = self._hex(begin + 8, begin) if self._text[end : end + 2] == b"\\u" else 0
            if code >= 0xDC00 or not 0xDC00 <= low <= 0xDFFF:
                raise self._wrong("The surrogate pair in string is invalid.")
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            end += 6
        self._at = end
        return chr(code).encode()

    def _hex(self, at: int, begin: int) -> int:
        digits = _HEX.match(self._text, at)
        if digits is None:
            self._at = begin
            raise self._wrong("Incorrect hex digit after \\u escape in string.")
        return int(digits.group(), 16)

    def _scalar(self, byte: bytes) -> Any:
        if byte in _WORDS:
            return self._word(byte)
        found = _NUMBER.match(self._text, self._at)
        if found is None:
            return self._not_finite()
        begin, self._at = self._at, found.end()
        fraction, exponent = found.groups()
        following = self._peek()
        if following == b"." and fraction is None and exponent is None:
            self._at += 1
            raise self._wrong("Miss fraction part in number.")
        if following in {b"e", b"E"} and exponent is None:
            self._at += 2 if self._text[self._at + 1 : self._at + 2] in {b"+", b"-"} else 1
            raise self._wrong("Miss exponent in number.")
        digits = found.group()
        if fraction is None and exponent is None and len(digits) <= _LONGEST_INTEGER:
            whole = int(digits)
            if _INT64_MIN <= whole <= _UINT64_MAX:
                return whole
        number = float(digits)
        if math.isinf(number):
            self._at = begin
            raise self._wrong("Number too big to be stored in double.")
        return number

    def _not_finite(self) -> float:
        found = _NOT_FINITE.match(self._text, self._at)
        if found is None:
            self._at += len(_shared(self._text[self._at : self._at + 4], (b"NaN", b"Inf", b"-NaN", b"-Inf")))
            raise self._wrong("Invalid value.")
        self._at = found.end()
        if found.group().endswith(b"Inf") and self._peek() == b"i":
            self._at += len(_shared(self._text[self._at : self._at + 5], (b"inity",)))
            raise self._wrong("Invalid value.")
        return float(found.group())

    def _word(self, byte: bytes) -> bool | None:
        word, value = _WORDS[byte]
        shared = _shared(self._text[self._at : self._at + len(word)], (word,))
        self._at += len(shared)
        if shared != word:
            raise self._wrong("Invalid value.")
        return value

    def _peek(self) -> bytes:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise RequestError(
                Code.INVALID_ARGUMENT,
                f"The JSON has more than {VALUES_MAX} values outside of regular lists of numbers; "
                "send tensors as regular lists, or as base64 of a picture.",
            )

    def _wrong(self, what: str) -> RequestError:
        return RequestError(Code.INVALID_ARGUMENT, f"JSON Parse error: {what} at offset: {self._at}")


def _shared(text: bytes, words: tuple[bytes, ...]) -> bytes:
    """The longest beginning that `text` shares with one of `words`."""
    best = b""
    for word in words:
        size = 0
        while size < min(len(text), len(word)) and text[size] == word[size]:
            size += 1
        best = max(best, word[:size], key=len)
    return best


def _is_plain(string: bytes) -> bool:
    """Whether neither an escape nor a control character is in it."""
    if len(string) < 256:
        found = _PLAIN.match(string)
        return found is not None and found.end() == len(string)
    return b"\\" not in string and int(np.frombuffer(string, np.uint8).min()) >= 0x20
