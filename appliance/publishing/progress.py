"""How far it is, for whoever waits: a bar on a terminal, plain lines elsewhere."""

from typing import Protocol


class Progress(Protocol):
    """Where the publisher's steps say what they do. One thread."""

    def step(self, what: str, total_bytes: int | None = None) -> None:
        """Another step begins, of so many bytes where that is known; the one before is over."""

    def advance(self, count: int) -> None:
        """So many more bytes of this step."""

    def done(self) -> None:
        """The last step is over."""


class Silent:
    """Says nothing."""

    def step(self, what: str, total_bytes: int | None = None) -> None: ...

    def advance(self, count: int) -> None: ...

    def done(self) -> None: ...
