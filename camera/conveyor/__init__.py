"""Pictures of machined metal plates on a conveyor belt, drawn from a seed: the virtual camera's world."""

from camera.conveyor.defects import DEFECTS, KINDS
from camera.conveyor.scene import Scene

__all__ = ["DEFECTS", "KINDS", "Scene"]
