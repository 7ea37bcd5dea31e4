"""What can go wrong between operators and the delivery process."""

from appliance.errors import ApplianceError


class BadRequest(ApplianceError):
    """A request that means nothing; its text says what is wrong with it. Seen by whoever asked."""


class SocketFailed(ApplianceError):
    """The control socket cannot be opened, or the other side does not speak as it has to."""
