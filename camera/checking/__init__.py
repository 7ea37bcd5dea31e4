"""Is everything that a camera needs there? Judgements in sentences, apart from reading the system and the camera.

findings.py   what is said, and whether it is well
system.py     reads /proc and /sys: socket buffers, interfaces, usbfs memory, groups
network.py    GigE Vision and streams: buffers, packets, links, shares of a link
devices.py    USB and V4L2: memory, permissions
trial.py      takes pictures for a while, as the line would
pace.py       what the trial shows: rate, losses, age, jitter
picture.py    brightness, contrast, sharpness of one picture
motion.py     how far a part moves while the shutter is open
"""

from camera.checking.findings import Finding, Level, worst

__all__ = ["Finding", "Level", "worst"]
