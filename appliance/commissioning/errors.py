"""What keeps a camera from being commissioned."""

from appliance.errors import ApplianceError


class CommissioningError(ApplianceError):
    """Seen by the person at the terminal as it stands."""
