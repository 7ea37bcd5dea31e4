"""What can go wrong on the way to the broker.

ApplianceError
└── BrokerError
    └── BrokerUnreachable   nobody answers there, or not as a broker
"""

from appliance.errors import ApplianceError


class BrokerError(ApplianceError):
    """Results wait on the disk: nothing is lost, and nobody hears of it."""


class BrokerUnreachable(BrokerError):
    """No connection. Seen with a wrong address, a pulled cable, a broker that is down, a certificate that fails."""
