"""What can go wrong in the Sparkplug view.

ApplianceError
└── SparkplugError
    └── Undecodable   bytes that are no Sparkplug B payload
"""

from appliance.errors import ApplianceError


class SparkplugError(ApplianceError):
    """The live view suffers; results do not."""


class Undecodable(SparkplugError):
    """Seen where somebody publishes something else on our command topic."""
