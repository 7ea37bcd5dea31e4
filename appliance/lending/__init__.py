"""The line lends its models to the process that talks to the network.

`Lender` is the line's side: a few threads that run requests on the line's own models. `RemoteBackend` is the other
side's: the same models for the data plane, behind a bounded queue. Between them: connected UNIX sockets (`wire`).
"""

from appliance.lending.borrower import RemoteBackend
from appliance.lending.lender import Lender
from appliance.lending.wire import Connection, Limits, WireError

__all__ = ["Connection", "Lender", "Limits", "RemoteBackend", "WireError"]
