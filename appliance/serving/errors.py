"""What can go wrong between a wish for a model version and a borrowed one.

ServingError
├── NotServing        nothing of that name and version is loaded
├── NotAvailable      a wait for versions ended without them
├── LoadError         this attempt to load failed; the next may succeed
│   └── LoadRefused   this content will never load; it is not tried again
├── LoadCancelled     the version was withdrawn before it was loaded
├── OutOfResources    there is no room for it beside what is loaded
├── UnknownResource   its loader asks for a device that this box does not count
└── UnloadError       it was taken out of service, but may not have given its memory back
"""

from appliance.errors import ApplianceError


class ServingError(ApplianceError):
    """Root of everything that the serving core says about the world."""


class NotServing(ServingError):
    """Nothing of that name and version is loaded.

    Seen when borrowing. The text is TensorFlow Serving's to the letter: its clients probe readiness with it.
    """

    def __init__(self, name: str, version: int | None = None) -> None:
        self.name = name
        self.version = version
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        super().__init__(f"Servable not found for request: {wanted}")


class NotAvailable(ServingError):
    """Some of the servables waited for did not become available.

    Seen after a bounded wait. The sentence names each and why: it failed, or the time was over.
    """


class LoadError(ServingError):
    """A loader could not load.

    Raised by loaders when a file is unreadable, memory is short, a child process died. The manager tries again after
    a while, a limited number of times; then the version ends with this error and whatever served before serves on.
    """


class LoadRefused(LoadError):
    """This content will not load however often one tries: wrong format, bad signature, failed golden samples.

    Raised by loaders. The version ends at once; it is tried again only when its content changes.
    """


class LoadCancelled(ServingError):
    """The version was withdrawn while it waited or loaded. Seen as the reason why it ended; nothing is wrong."""


class OutOfResources(ServingError):
    """The version does not fit beside what is loaded, and nothing is about to leave.

    Seen as the reason why a version ended. Make room (fewer versions, a smaller model), then publish it again.
    """


class UnknownResource(ServingError):
    """A loader asks for a device or kind that the box has not been told to count.

    Seen as the reason why a version ended: the operator's file and the loader do not agree.
    """


class UnloadError(ServingError):
    """A loader failed to unload. The version no longer serves; its memory may be lost until a restart."""
