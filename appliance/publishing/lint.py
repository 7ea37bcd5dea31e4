"""Looks a package over before boxes do."""

from collections.abc import Sequence
from pathlib import Path

from appliance.publishing.findings import Finding


def lint(folder: Path) -> Sequence[Finding]:
    """Everything that is wrong with the package in `folder`, errors first; empty: nothing is.

    Reads files only: no TensorFlow is started. Some ms, plus 0.2 s for each 100 MB. Raises: PublishError where
    `folder` is no folder.
    """
    raise NotImplementedError
