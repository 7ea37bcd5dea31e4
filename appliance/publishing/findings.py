"""What a lint says of a package: findings, each with its remedy."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    severity: Severity
    """error: boxes refuse the package, or it cannot work. warning: it works, and costs or risks something."""
    code: str
    """For programs: weights_twice, forbidden_op, ..."""
    where: str
    """The file, or the part of one."""
    what: str
    remedy: str

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def error(code: str, where: str, what: str, remedy: str) -> Finding:
    """A finding that keeps the package from being signed."""
    return Finding("error", code, where, what, remedy)


def warning(code: str, where: str, what: str, remedy: str) -> Finding:
    """A finding that a publisher may live with."""
    return Finding("warning", code, where, what, remedy)
