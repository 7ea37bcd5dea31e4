"""Cameras by a GStreamer pipeline in a child process: CSI cameras of a Jetson, capture cards, test pictures."""

from camera.drivers.gstreamer.camera import GstreamerCamera

__all__ = ["GstreamerCamera"]
