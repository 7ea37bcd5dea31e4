"""`appliance recipe calibrate`: a recipe's limits from this station's own labelled pictures or rechecks."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from appliance.config import ApplianceConfig
    from appliance.inspection import Plan, RecipeConfig
    from appliance.inspection.calibration import Sample, Wanted
    from appliance.inspection.limits import Limits
    from appliance.inspection.plan import Classifier

_EXAMPLES: Final = """examples:
  appliance recipe calibrate --config appliance.toml --recipe part --pictures labelled/ --max-false-reject 1%
  appliance recipe calibrate --config appliance.toml --recipe part --pictures labelled/ \\
      --max-false-reject 1% --max-escape 0.1% --write
  appliance recipe calibrate --config appliance.toml --recipe part --rechecks rechecked.jsonl --max-false-reject 2%

--pictures holds a folder for each label: the model's good class (or `good`), and its defect classes (or `bad`).
Pictures of one part go into a folder of their own within: labelled/good/part-17/left.png. They count as one part.
--rechecks holds results as published, one JSON object a line, or CSV, with what a person found: "recheck": "good" or
"bad". Results of one part_id (or of one `group`) count as one part.

The limits hold for parts to come, with 95 % confidence, and not just for these: 299 good parts without a false reject
show 1 %. What the sample cannot show is refused, with how many parts would. A part that is between the limits is
NotDecidable: a person looks. Nothing is written without --write; what the file said before is kept as FILE.bak.
Exit code 0: the limits keep the wanted rates; 1: they cannot be promised.
"""


def add_calibrate(subparsers: Any) -> None:
    """Add `calibrate` to the commands of `appliance recipe`; `subparsers` is what add_subparsers() gave."""
    parser = subparsers.add_parser(
        "calibrate",
        help="set its limits on this station's own parts, for a wanted rate",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    parser.add_argument("--config", type=Path, required=True, help="the operator's TOML file")
    parser.add_argument("--recipe", required=True, metavar="NAME", help="whose limits")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pictures", type=Path, metavar="FOLDER", help="pictures, in a folder for each label")
    source.add_argument("--rechecks", type=Path, metavar="FILE", help="results with a person's word (.jsonl, .csv)")
    parser.add_argument(
        "--max-false-reject", type=_rate, metavar="RATE", help="of the good parts so many are NotOK at most: 1%%"
    )
    parser.add_argument(
        "--max-escape", type=_rate, metavar="RATE", help="of the bad parts so many are OK at most: 0.1%%"
    )
    parser.add_argument("--write", action="store_true", help="put the limits into the file")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(command=calibrate)


def calibrate(options: argparse.Namespace) -> int:
    """Run it. Raises: ApplianceError with what is wrong and what to do."""
    from appliance.commissioning.calibrate_report import Report, as_json, as_text
    from appliance.commissioning.errors import CommissioningError
    from appliance.config import load_config
    from appliance.inspection.calibration import CalibrationRefused, Wanted, count

    wanted = Wanted(options.max_false_reject, options.max_escape)
    if wanted == Wanted():
        raise CommissioningError("Say which rate has to hold: --max-false-reject 1%, --max-escape 0.1%, or both.")
    config = load_config(options.config)
    if options.recipe not in config.recipes:
        names = ", ".join(config.recipes) or "none"
        raise CommissioningError(f"There is no recipe {options.recipe!r} in {options.config}; it has {names}.")
    with _opened(config, options.recipe) as opened:
        sample, notes = _sample(options, opened, wanted)
        limits = opened.plan.limits
        report = Report(options.recipe, opened.what, sample, wanted, limits, count(sample, limits))
        report.notes += notes
        refused: CalibrationRefused | None = None
        try:
            _set_limits(report, opened)
        except CalibrationRefused as error:
            refused = error
            report.refused = str(error)
    if options.json:
        print(json.dumps(as_json(report), indent=1), file=sys.stdout)
    else:
        print(as_text(report), file=sys.stdout)
    if refused is not None:
        raise refused
    _hand_over(options, report.values)
    return 0


@dataclass(frozen=True, slots=True)
class _Opened:
    recipe_name: str
    recipe: "RecipeConfig"
    model: "Classifier"
    plan: "Plan"
    what: str
    """Which version, and what runs it."""


@contextmanager
def _opened(config: "ApplianceConfig", name: str) -> Iterator[_Opened]:
    """The version that would serve, as the line would load it. Raises: ApplianceError."""
    from appliance.errors import ApplianceError
    from appliance.inspection import Plan
    from appliance.models import newest_loader
    from appliance.serving import ServableId, ServingError

    recipe = config.recipes[name]
    state = config.station.state_folder
    with TemporaryDirectory(prefix="appliance-calibrate-") as scratch:
        cache = state / "prepared" if state.is_dir() else Path(scratch)
        version, folder, loader = newest_loader(config, recipe.model, cache)
        try:
            model = loader.load(ServableId(recipe.model, version))
        except ServingError as error:
            raise ApplianceError(f"Version {version} in {folder} cannot be used: {error}") from error
        try:
            what = f"model {recipe.model}, version {version}, run by {model.engine}"
            yield _Opened(name, recipe, model, Plan(recipe, model), what)
        finally:
            loader.unload()


def _sample(options: argparse.Namespace, opened: _Opened, wanted: "Wanted") -> tuple["Sample", list[str]]:
    """With what has to be said about it."""
    from appliance.commissioning.calibrate_pictures import judge_pictures
    from appliance.commissioning.calibrate_rechecks import read_rechecks
    from appliance.inspection.calibration import Classes, Sample

    plan = opened.plan
    classes = Classes(plan.labels, plan.limits.good_label)
    if options.pictures is not None:
        progress = None if options.json or not sys.stderr.isatty() else sys.stderr
        parts, notes = judge_pictures(options.pictures, opened.recipe, plan, opened.model, classes, progress)
    else:
        parts, notes = read_rechecks(
            options.rechecks, opened.recipe_name, opened.model.digest, classes, wants_escapes=wanted.escape is not None
        )
    return Sample.of(parts, classes), notes


def _set_limits(report: Any, opened: _Opened) -> None:
    """Raises: CalibrationRefused."""
    from appliance.inspection import Plan
    from appliance.inspection.calibration import count, cross_check, place, spend
    from appliance.inspection.limits import LimitsConfig

    budget = spend(report.sample, report.wanted)
    placed = place(report.sample, budget)
    report.values = _values(placed.limits, opened.plan.limits)
    limits = LimitsConfig.model_validate({key: one for key, one in report.values.items() if one is not None})
    # What is counted is what the box will do: the recipe with these values, joined with the model.
    changed = Plan(opened.recipe.model_copy(update={"limits": limits}), opened.model)
    report.placed, report.after = placed, count(report.sample, changed.limits)
    report.budget = budget
    report.cross_check = cross_check(report.sample, budget)


def _values(limits: "Limits", before: "Limits") -> dict[str, Any]:
    """`limits` as a recipe has them. What a region had of its own before is said anew, because the model may say it."""
    regions = {
        name: {"per_class": dict(limits.of(name).per_class), "good_min": limits.good_min, "review": dict(limits.review)}
        for name in dict.fromkeys([*limits.regions, *before.regions])
    }
    for values in regions.values():
        if values["good_min"] is None:
            del values["good_min"]
    return {
        "good_min": limits.good_min,
        "per_class": dict(limits.per_class),
        "review": dict(limits.review),
        "regions": regions or None,
    }


def _hand_over(options: argparse.Namespace, values: Mapping[str, Any]) -> None:
    from appliance.commissioning.config_edit import as_toml, write

    section = ("recipes", options.recipe, "limits")
    if options.write:
        write(options.config, section, values)
    if options.json:
        return
    if options.write:
        said = (
            f"Written to {options.config}; what it said before is in {options.config.name}.bak. The line takes it with "
            "systemctl reload appliance."
        )
    else:
        said = f"Nothing was written; --write puts this into {options.config}:\n\n{as_toml(section, values)}"
    print(said, file=sys.stdout)


def _rate(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    try:
        rate = float(number) / 100
    except ValueError:
        rate = -1.0
    if not text.strip().endswith("%") or not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate above 0% and below 100%; write it like 0.5%")
    return rate
