"""Which recipe is in force on which camera: tried before it is, and kept on disk for the next start."""

import time
from collections.abc import Mapping
from functools import partial

from appliance.config import ApplianceConfig
from appliance.errors import ApplianceError
from appliance.inspection import InForce, Plan, RecipeConfig
from appliance.inspection.quality import QualityGate
from appliance.models import Models
from appliance.recipe_memory import RecipeMemory, Remembered
from appliance.serving import NotServing


class UnknownCamera(ApplianceError):
    """No camera or group of that name."""


class UnknownRecipe(ApplianceError):
    """No recipe of that name."""


class NotPossible(ApplianceError):
    """What was asked for is well said, and cannot be done now; the sentence says why."""


class Recipes:
    """Used by one thread at a time."""

    def __init__(self, config: ApplianceConfig, models: Models) -> None:
        """`config`: replaced at a reload."""
        self.config = config
        self._models = models
        self._memory = RecipeMemory(config.station.state_folder / "recipes.json")
        self._remembered: dict[str, Remembered] = self._memory.read()

    def now(self, config: ApplianceConfig, camera: str) -> str:
        """What the camera was changed over to, where that still stands in the file; else what the file says."""
        configured = config.cameras[camera].recipe
        kept = self._remembered.get(camera)
        if kept is None or kept.configured != configured or kept.recipe not in config.recipes_of(camera):
            return configured
        return kept.recipe

    def of_model(self, model: str) -> list[RecipeConfig]:
        """Those that a version of this model has to fit: the ones in force; where none is, all that name it."""
        config = self.config
        now = {self.now(config, camera) for camera in config.cameras}
        naming = [name for name, recipe in config.recipes.items() if recipe.model == model]
        return [config.recipes[name] for name in ([name for name in naming if name in now] or naming)]

    def first(self, camera: str) -> InForce:
        """What a line begins with."""
        recipe = self.now(self.config, camera)
        kept = self._remembered.get(camera)
        if kept is None or kept.recipe != recipe:
            return self._in_force(camera, recipe, None, time.time_ns())
        return self._in_force(camera, recipe, kept.job_id, kept.since_utc_ns)

    def tried(self, camera: str, recipe: str, job_id: str | None) -> InForce:
        """The recipe, where parts can be judged by it: its model serves, fits, and gives scores for a blank picture.

        Raises: NotPossible.
        """
        allowed = self.config.recipes_of(camera)
        if recipe not in allowed:
            raise NotPossible(
                f"Camera {camera} may not be changed over to {recipe!r}: its recipes are {', '.join(allowed)}."
            )
        in_force = self._in_force(camera, recipe, job_id, time.time_ns())
        try:
            QualityGate(in_force.recipe.quality)
            with in_force.borrow() as borrowed:
                plan = Plan(in_force.recipe, borrowed.servable)
                plan.judge(plan.infer(borrowed.servable, plan.blank()))
        except NotServing as error:
            raise NotPossible(f"Recipe {recipe} cannot be used now: {error}; the recipe before stays.") from error
        except ApplianceError as error:
            raise NotPossible(f"Recipe {recipe} cannot be used on camera {camera}: {error}") from error
        return in_force

    def remember(self, made: Mapping[str, InForce]) -> None:
        """On disk. Raises: NotPossible."""
        kept = {
            camera: Remembered(one.recipe_id, one.job_id, one.since_utc_ns, self.config.cameras[camera].recipe)
            for camera, one in made.items()
        }
        try:
            self._memory.write({**self._remembered, **kept})
        except OSError as error:
            raise NotPossible(
                f"The changeover cannot be written to {self.config.station.state_folder} ({error.strerror}), so the "
                "next start would judge by another recipe; the recipe before stays."
            ) from error
        self._remembered.update(kept)

    def _in_force(self, camera: str, recipe: str, job_id: str | None, since_utc_ns: int) -> InForce:
        model = self.config.recipes[recipe].model
        return InForce(
            recipe_id=recipe,
            recipe=self.config.recipes[recipe],
            config_id=self.config.config_id(camera, recipe),
            deadline_ms=self.config.deadline_ms(camera, recipe),
            borrow=partial(self._models.manager.borrow, model),
            canary=partial(self._models.delivered.canary, model),
            job_id=job_id,
            since_utc_ns=since_utc_ns,
        )
