"""A version that does not fit its recipes, or does not give its publisher's scores here, is refused while it loads.

The one before goes on serving.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from appliance.golden import GoldenError, prove
from appliance.inspection import Plan, RecipeConfig, RecipeError
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Model, fits
from appliance.serving import LoadRefused, ServableId
from appliance.serving.resources import ResourceAllocation

logger = logging.getLogger(__name__)


class FittingLoader:
    """A loader around a model's own: what was loaded is asked by every recipe, and by the golden samples."""

    def __init__(
        self, inner: SavedModelLoader, folder: Path, recipes: Callable[[], Sequence[RecipeConfig]], copies: int = 1
    ) -> None:
        """`folder`: the version's; `recipes`: those that use this model now; asked at each load.

        `copies`: how many ask at once; each gets its buffers made for the batch of the recipes.
        """
        self._inner = inner
        self._folder = folder
        self._recipes = recipes
        self._copies = copies

    def estimate_resources(self) -> ResourceAllocation:
        """The model's own."""
        return self._inner.estimate_resources()

    def load(self, id: ServableId, /) -> Model:  # noqa: A002 - the word of the trade
        """Load, run each recipe's plan once on a blank picture, then golden samples. Raises: LoadError, LoadRefused.

        Golden samples cost 16 parts at most, and only this thread's time.
        """
        model = self._inner.load(id)
        with ExitStack() as undo:
            undo.callback(self._inner.unload)
            self._try(id, model)
            undo.pop_all()
        return model

    def cancel(self) -> None:
        """The model's own: a preparation that nobody wants any more ends soon."""
        self._inner.cancel()

    def unload(self) -> None:
        """The model's own."""
        self._inner.unload()

    def _try(self, version: ServableId, model: Model) -> None:
        recipes = self._recipes()
        try:
            for recipe in recipes:
                plan = Plan(recipe, model)
                plan.judge(plan.infer(model, plan.blank()))
                _warm_up(plan, model, self._copies)
            proven = prove(self._folder, model, recipes)
        except RecipeError as error:
            raise LoadRefused(f"{version.name} version {version.version} does not fit its recipe: {error}") from error
        except GoldenError as error:
            raise LoadRefused(
                f"{version.name} version {version.version} does not judge here as it did where it was trained: {error}"
            ) from error
        if proven is not None:
            logger.info("%s version %d: %s.", version.name, version.version, proven)


def _warm_up(plan: Plan, model: Model, copies: int) -> None:
    """Memory for a batch of this size is made now, and not when the first part waits: 25 ms for four of 650x500."""
    blank = plan.blank()
    if len(blank) == 1 or not fits(
        model.signatures[plan.signature].inputs[plan.input].shape or blank.shape, blank.shape
    ):
        return  # as it was warmed up
    for call in [model.bind(plan.signature) for _ in range(copies)]:
        call({plan.input: blank})
