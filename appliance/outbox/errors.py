"""What can go wrong between a verdict and the disk.

ApplianceError
└── OutboxError
    ├── OutboxFull        the outbox has reached the size it may have
    ├── DiskFull          the disk has no room
    ├── DiskFailed        the disk does not do what it is asked
    ├── OutboxDamaged     what is on the disk is not what was written
    └── OutboxInUse       another process writes this outbox
"""

from appliance.errors import ApplianceError


class OutboxError(ApplianceError):
    """Results cannot be recorded or passed on at present."""


class OutboxFull(OutboxError):
    """The broker has not taken results for so long that the outbox has reached its limit.

    Seen by the writer, which tries again: room comes back with the broker's next receipt.
    """


class DiskFull(OutboxError):
    """The disk has no room for another result. Seen by the writer, which tries again."""


class DiskFailed(OutboxError):
    """Reading or writing failed. Seen when a disk dies, or was remounted read-only; the writer tries again."""


class OutboxDamaged(OutboxError):
    """The file, or a row in it, is not what was written.

    The writer sets the file aside, saves what can be read, and says what is lost.
    """


class OutboxInUse(OutboxError):
    """A second appliance was started on the same folder. It records nothing until the first one ends."""
