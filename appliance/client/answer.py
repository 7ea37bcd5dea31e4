"""What a command found."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The same twice: for a person, and with --json for a program."""

    text: str
    data: Any
