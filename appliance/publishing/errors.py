"""What keeps a publisher from making, signing or sending a package."""

from appliance.errors import ApplianceError


class PublishError(ApplianceError):
    """The model, the folder or the order cannot be used as it is. Its text says what to do."""
