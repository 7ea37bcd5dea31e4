"""Which Basler cameras there are."""

from camera.discovery import Looked


def discover(timeout_s: float) -> Looked:
    """Every camera that pylon sees, in about `timeout_s` seconds. Raises nothing of its own."""
    raise NotImplementedError
