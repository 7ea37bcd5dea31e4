"""The candidate, loaded as the line would load it, and joined with every recipe that uses its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.config import ApplianceConfig
from appliance.examiner.failure import Failed, Reason, Stage
from appliance.inspection import Evaluation, Plan, RecipeConfig, RecipeError
from appliance.models import runtime_config
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.digest import digest_of
from appliance.runtimes.errors import InvalidInput, LoadError, LoadRefused, PredictError
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Model
from appliance.runtimes.warmup import WARM_UP_FILE
from appliance.serving import ResourceTracker, ServableId, main_ram


@dataclass(frozen=True, slots=True)
class Candidate:
    """One loaded version."""

    name: str
    folder: Path
    model: Model
    plans: Mapping[str, Plan]
    """By recipe: all of the operator's file that use this model, in its order."""
    own: Plan | None
    """As the package itself says, without a recipe; None where it leaves something to the recipe."""

    def plan_of_package(self) -> Plan:
        """What the publisher's golden samples mean. Raises: Failed where neither package nor recipe says it."""
        for plan in (self.own, *self.plans.values()):
            if plan is not None:
                return plan
        raise Failed(
            Stage.ACCEPTING,
            Reason.DOES_NOT_FIT,
            f"No recipe of this box uses the model {self.name!r}, and its package does not say what it sees; "
            "complete its assets.extra/inspection.json.",
        )


def load(config: ApplianceConfig, name: str, folder: Path, digest: str) -> Candidate:
    """Load and try it once on a blank picture for each recipe. Seconds to minutes the first time. Raises: Failed."""
    as_in_line = runtime(config, name)
    try:
        _check_room(config, SavedModelLoader(folder, as_in_line), folder)
        _check_content(digest_of(folder), digest, folder)
        # One copy, since one thread calls; how many there are does not change what is prepared.
        alone = as_in_line.model_copy(update={"copies": 1})
        model = SavedModelLoader(folder, alone, _replay).load(ServableId(name, 0))
    except (LoadError, LoadRefused) as error:
        raise Failed(Stage.LOADING, Reason.LOAD_ERROR, str(error)) from error
    except MemoryError as error:
        raise Failed(
            Stage.LOADING,
            Reason.OOM,
            f"{folder} does not fit into the memory that resources.model_memory_mb allows "
            f"({config.resources.model_memory_mb} MB); make the model smaller, or raise it.",
        ) from error
    except OSError as error:
        raise Failed(Stage.LOADING, Reason.LOAD_ERROR, f"{folder} cannot be read: {error}; check the disk.") from error
    _check_content(model.digest, digest, folder)
    recipes = {key: recipe for key, recipe in config.recipes.items() if recipe.model == name}
    return Candidate(
        name, folder, model, {key: _fitting(key, recipe, model) for key, recipe in recipes.items()}, _own(name, model)
    )


def runtime(config: ApplianceConfig, name: str) -> RuntimeConfig:
    """How the line would run it."""
    return runtime_config(config, name, prepared_folder(config))


def prepared_folder(config: ApplianceConfig) -> Path:
    """Where the line finds what was prepared here."""
    return config.station.state_folder / "prepared"


def _replay(model: Model, folder: Path) -> int:
    """As the line does it: a recorded request that fails would keep the version from serving there."""
    if not (folder / WARM_UP_FILE).is_file():
        return 0
    from appliance.dataplane.metrics import Metrics
    from appliance.dataplane.warmup_records import replay  # takes memory that a version without records spares

    return replay(model, folder, metrics=Metrics())


def _check_room(config: ApplianceConfig, loader: SavedModelLoader, folder: Path) -> None:
    """The line asks the same before it loads. Raises: Failed, LoadError, LoadRefused."""
    needed = loader.estimate_resources()
    if not ResourceTracker(main_ram(config.resources.model_memory_mb * 1_000_000)).reserve(needed):
        raise Failed(
            Stage.LOADING,
            Reason.OOM,
            f"{folder} may take {sum(needed.quantities.values()) / 1e6:.0f} MB of memory, and "
            f"resources.model_memory_mb allows {config.resources.model_memory_mb}; "
            "make the model smaller, or raise it.",
        )


def _check_content(found: str, wanted: str, folder: Path) -> None:
    if found != wanted:
        raise Failed(
            Stage.LOADING,
            Reason.CHANGED,
            f"{folder} is not what was verified: its digest is {found}, and {wanted} was; look who writes there.",
        )


def _fitting(key: str, recipe: RecipeConfig, model: Model) -> Plan:
    try:
        plan = Plan(recipe, model)
        decision = plan.judge(plan.infer(model, plan.blank()))
    except RecipeError as error:
        raise Failed(
            Stage.LOADING, Reason.DOES_NOT_FIT, f"The candidate does not fit recipes.{key}: {error}"
        ) from error
    except (PredictError, InvalidInput) as error:
        raise Failed(
            Stage.LOADING, Reason.LOAD_ERROR, f"The candidate fails on a blank picture of recipes.{key}: {error}"
        ) from error
    if decision.evaluation is Evaluation.UNDEFINED:
        detail = f"The candidate cannot judge a blank picture of recipes.{key}: {decision.detail}"
        raise Failed(Stage.LOADING, Reason.NOT_FINITE, detail)
    return plan


def _own(name: str, model: Model) -> Plan | None:
    try:
        return Plan(RecipeConfig(model=name, deadline_ms=1), model)
    except RecipeError:
        return None
