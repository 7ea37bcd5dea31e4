"""Trigger, frame, verdict: what the box is for.

`CameraLine` is one camera's way from trigger to result; `Plan` joins a recipe with a model; everything else is
a step of the two. `preprocess_picture` is for training scripts: what a model sees of a picture on every box.
"""

from appliance.inspection.canary import Canary
from appliance.inspection.errors import FrameUnfit, InspectionError, RecipeError
from appliance.inspection.in_force import InForce
from appliance.inspection.line import CameraLine, LineSettings
from appliance.inspection.plan import Plan
from appliance.inspection.preprocess import InputSpec, Preprocessor, preprocess_picture
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
    "InputSpec",
    "InspectionError",
    "LineSettings",
    "Plan",
    "Preprocessor",
    "Reason",
    "RecipeConfig",
    "RecipeError",
    "Reporter",
    "Result",
    "preprocess_picture",
]
