"""`appliance camera learn`: limits of the quality gate from good pictures."""

from typing import Any


def add_learn(kinds: Any) -> None:
    """Add `learn` to the commands of `appliance camera`; `kinds` is what add_subparsers() gave."""
