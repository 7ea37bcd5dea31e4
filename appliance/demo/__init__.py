"""The whole appliance on embedded defaults, for the first five minutes: broker, camera, model, and a subscriber."""

from appliance.demo.broker import BrokerKind
from appliance.demo.demo import Demo, DemoSettings

__all__ = ["BrokerKind", "Demo", "DemoSettings"]
