"""Where things stand in a text-format file, so that a line can be changed and the rest, comments too, stays."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.client.errors import ClientError

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<word>[A-Za-z0-9_.+\-]+)|(?P<mark>[{}<>\[\]:;,])""",
    re.DOTALL,
)
_CLOSING: Final = {"{": "}", "<": ">", "[": "]"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quoted text or a mark, and where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: its span, and its value's."""

    name: str
    start: int
    end: int
    value: Token
    """A scalar's token; a message's closing brace."""
    fields: Sequence["Field"] = field(default=())

    def all(self, name: str) -> list["Field"]:
        """Its fields of that name."""
        return [each for each in self.fields if each.name == name]

    def scalar(self, name: str) -> str:
        """A field's value without its quotes; "" where it has none."""
        return next((each.value.text.strip("\"'") for each in self.all(name)), "")


def fields_of(text: str) -> list[Field]:
    """The fields of a text-format message that a parser has found right. Raises: ClientError where it is too clever."""
    return list(_Reader(text).fields(None))


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def fields(self, closing: str | None) -> Iterator[Field]:
        while self._next < len(self._tokens) and self._peek() != closing:
            name = self._take()
            if self._peek() == ":":
                self._take()
            if self._peek() == "[":
                yield from self._listed(name)
            else:
                yield self._value(name, name.start)
            if self._peek() in {",", ";"}:
                self._take()

    def _listed(self, name: Token) -> Iterator[Field]:
        self._take()
        while self._peek() not in {"]", ""}:
            yield self._value(name, self._tokens[self._next].start)
            if self._peek() == ",":
                self._take()
        self._take()

    def _value(self, name: Token, start: int) -> Field:
        opening = self._take()
        if opening.text not in {"{", "<"}:
            last = opening
            while self._peek()[:1] in {'"', "'"}:  # "a" "b" is "ab"
                last = self._take()
            return Field(name.text, start, last.end, opening)
        inside = tuple(self.fields(_CLOSING[opening.text]))
        closed = self._take()
        return Field(name.text, start, closed.end, closed, inside)

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _take(self) -> Token:
        if self._next == len(self._tokens):
            raise ClientError("The file's text ends in the middle of a field; change it by hand.")
        self._next += 1
        return self._tokens[self._next - 1]


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            line = text.count("\n", 0, place) + 1
            raise ClientError(f"Line {line} has a character that is not understood here; change the file by hand.")
        if found.lastgroup != "space":
            yield Token(found[0], place, found.end())
        place = found.end()
