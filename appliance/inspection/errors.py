"""What can be wrong with a recipe, a model's description or a picture.

InspectionError
├── RecipeError   recipe and model do not fit together; no part can be judged until a person changes one of them
└── FrameUnfit    this one picture cannot be judged (size, colour); the next one may be
"""

from appliance.errors import ApplianceError


class InspectionError(ApplianceError):
    """Root of what the inspection finds wrong."""


class RecipeError(InspectionError):
    """The recipe and the model do not fit.

    Seen when a version becomes available, and by `appliance check`: a label without a limit, an input whose
    size nobody stated. Parts are Undefined until the recipe or the model changes.
    """


class FrameUnfit(InspectionError):
    """A picture is not what the recipe was made for: too small for the region, wrong colours.

    Seen per part; that part is Undefined.
    """
