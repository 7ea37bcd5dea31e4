"""A version that does not fit its recipes is refused while it loads, and the one before goes on serving."""

from collections.abc import Callable, Sequence

from appliance.inspection import Plan, RecipeConfig, RecipeError
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Model
from appliance.serving import LoadRefused, ServableId
from appliance.serving.resources import ResourceAllocation


class FittingLoader:
    """A loader around a model's own: after loading it asks every recipe whether it can use what was loaded."""

    def __init__(self, inner: SavedModelLoader, recipes: Callable[[], Sequence[RecipeConfig]]) -> None:
        """`recipes`: those that use this model now; asked at each load."""
        self._inner = inner
        self._recipes = recipes

    def estimate_resources(self) -> ResourceAllocation:
        """The model's own."""
        return self._inner.estimate_resources()

    def load(self, id: ServableId, /) -> Model:  # noqa: A002 - the word of the trade
        """Load, then run each recipe's plan once on a blank picture. Raises: LoadError, LoadRefused."""
        model = self._inner.load(id)
        try:
            for recipe in self._recipes():
                plan = Plan(recipe, model)
                plan.judge(plan.infer(model, plan.blank()))
        except RecipeError as error:
            self._inner.unload()
            raise LoadRefused(f"{id.name} version {id.version} does not fit its recipe: {error}") from error
        return model

    def cancel(self) -> None:
        """The model's own: a preparation that nobody wants any more ends soon."""
        self._inner.cancel()

    def unload(self) -> None:
        """The model's own."""
        self._inner.unload()
