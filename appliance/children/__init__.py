"""The line's children: the processes that it starts, listens to, and starts again alone when they die."""

from appliance.children.delivery import DeliveryChild
from appliance.children.gateway import GatewayChild
from appliance.children.surface import SurfaceChild

__all__ = ["DeliveryChild", "GatewayChild", "SurfaceChild"]
