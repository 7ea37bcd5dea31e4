"""Basler cameras by Basler's own library, pylon (pip install 'inspection-appliance[pylon]'); also its emulator."""

from camera.drivers.pylon.camera import PylonCamera

__all__ = ["PylonCamera"]
