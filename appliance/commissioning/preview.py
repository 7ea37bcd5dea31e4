"""`appliance camera preview`: stub."""

from argparse import Namespace


def preview(options: Namespace) -> int:
    """Returns the exit code."""
    raise NotImplementedError(options)
