"""The three ways from a trigger to its picture: this box exposes; the camera does; a wire does, and this box sees it.

Each is run by the camera's thread while the camera is open, and ends with what the camera raises.
"""

from appliance.inspection.ways.exposing import Exposing
from appliance.inspection.ways.free_running import FreeRunning
from appliance.inspection.ways.observing import Observing
from appliance.inspection.ways.way import Surroundings, Way

__all__ = ["Exposing", "FreeRunning", "Observing", "Surroundings", "Way"]
