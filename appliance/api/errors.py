"""What can go wrong between the box and those who ask it over the network."""

from appliance.errors import ApplianceError


class ApiError(ApplianceError):
    """A port cannot be served.

    Seen at start: the port is taken, the address is not one of this box, the port needs more rights.
    The line runs on without it; the caller says so in the device health and tries again.
    """
