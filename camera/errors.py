"""What can go wrong between here and a sensor.

CameraError
├── CameraConfigError    the settings cannot be what the camera does; nothing was opened
├── CameraNotFound       never opened: no such device, folder or address
├── CameraInUse          never opened: somebody else holds it
├── TriggerNotReady      open and well, but still busy with the previous exposure
├── CameraTimeout        open and well, but no frame in time
├── CameraLost           was open, stopped answering
└── EndOfPictures        a camera that plays stored pictures has shown its last one
"""


class CameraError(Exception):
    """Root of everything a driver raises. Its text is one sentence: what, where, what to do."""


class CameraConfigError(CameraError):
    """A setting is impossible, or was read back different from what was asked for.

    Seen at open(). The caller shows the sentence and does not retry: a person has to change the file.
    """


class CameraNotFound(CameraError):
    """There is no such camera.

    Seen at open() when the device, folder or address does not exist (yet). The caller may try again later.
    """


class CameraInUse(CameraError):
    """Another program holds the camera. Seen at open(); the caller may try again later."""


class TriggerNotReady(CameraError):
    """A trigger came while the previous exposure was going on; the camera would have dropped it silently.

    Seen at trigger(). That part was not photographed: the caller gives it its result (Undefined) and goes on.
    """


class CameraTimeout(CameraError, TimeoutError):
    """No frame within the time given, from a camera that still answers. Seen at read(); reading may go on."""


class CameraLost(CameraError):
    """An open camera stopped answering.

    Seen when the cable is pulled, a switch port resets, another program takes over.
    The caller closes, waits, opens again; parts that passed since then were not inspected.
    """


class EndOfPictures(CameraError):
    """A folder that is not repeated has been shown to its end. Seen at trigger() or read(); nothing broke."""
