"""GigE Vision and USB3 Vision cameras of every maker, by Debian's libaravis (LGPL), called with ctypes.

apt install libaravis-0.8-0; nothing is compiled, and nothing of it is loaded before a camera is opened.
"""

from camera.drivers.aravis.driver import AravisCamera

__all__ = ["AravisCamera"]
