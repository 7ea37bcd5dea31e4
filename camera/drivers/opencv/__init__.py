"""Cameras by OpenCV: RTSP, MJPEG over HTTP, V4L2."""

from camera.drivers.opencv.driver import OpencvCamera

__all__ = ["OpencvCamera"]
