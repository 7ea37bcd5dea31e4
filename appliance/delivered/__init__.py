"""Models whose versions come from a registry: what the line loads of each, and which release serves.

The disk is the truth: what the store's `current` names serves, also where no delivery process runs. What that process
wishes for beside it (a candidate, the release before) is loaded beside it, and never instead.
"""

from appliance.delivered.loader import ChangedOnDisk
from appliance.delivered.models import DeliveredModels
from appliance.delivered.wish import Wish

__all__ = ["ChangedOnDisk", "DeliveredModels", "Wish"]
