"""What can go wrong between a person and the recorded results.

ApplianceError
└── ResultsError          in one sentence; nothing was changed
"""

from appliance.errors import ApplianceError


class ResultsError(ApplianceError):
    """What was asked for is not there, cannot be read, or cannot be written."""
