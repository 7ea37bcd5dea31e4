"""Trigger, frame, verdict: what the box is for.

`CameraLine` is one camera's way from trigger to result; `Plan` joins a recipe with a model; everything else is
a step of the two.
"""

from appliance.inspection.canary import Canary
from appliance.inspection.errors import FrameUnfit, InspectionError, RecipeError
from appliance.inspection.in_force import InForce
from appliance.inspection.line import CameraLine, LineSettings
from appliance.inspection.plan import Plan
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.report import Reporter
from appliance.inspection.result import SCHEMA_PATH, Evaluation, Reason, Result

__all__ = [
    "SCHEMA_PATH",
    "CameraLine",
    "Canary",
    "Evaluation",
    "FrameUnfit",
    "InForce",
    "InspectionError",
    "LineSettings",
    "Plan",
    "Reason",
    "RecipeConfig",
    "RecipeError",
    "Reporter",
    "Result",
]
