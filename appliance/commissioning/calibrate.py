"""`appliance recipe calibrate`: a recipe's limits from this station's own labelled pictures or rechecks."""

from typing import Any


def add_calibrate(subparsers: Any) -> None:
    """Add `calibrate` to the commands of `appliance recipe`; `subparsers` is what add_subparsers() gave."""
