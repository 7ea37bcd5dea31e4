"""What a SavedModel's graph would do, read without TensorFlow: its ops against a list of those that only compute."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OpUse:
    """One op, where it stands first."""

    op: str
    node: str
    function: str | None
    """The function of the graph's library that holds the node; None: the graph itself."""


def used_ops(folder: Path) -> Mapping[str, OpUse]:
    """Every op of every graph in saved_model.pb and of every function in their libraries, by name.

    Raises: Rejected(NOT_A_PACKAGE) where saved_model.pb is damaged, OSError.
    """
    raise NotImplementedError


def scan_ops(folder: Path) -> None:
    """Return where saved_model.pb holds nothing but what a model needs. 0.1 s for 10,000 nodes.

    Raises: Rejected(FORBIDDEN_OP) naming the op, its node and its function; Rejected(NOT_A_PACKAGE), OSError.
    """
    raise NotImplementedError


def lint_graph(folder: Path) -> list[str]:
    """Sentences on what would go wrong on a box, for the publisher: variables that no session loader finds.

    Raises: Rejected(NOT_A_PACKAGE), OSError.
    """
    raise NotImplementedError
