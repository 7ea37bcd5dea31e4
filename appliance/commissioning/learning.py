"""`appliance camera learn`: limits of the quality gate from good pictures."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from appliance.binomial import upper_bound
from appliance.commissioning import config_edit
from appliance.commissioning.choosing import Chosen, choose, metadata_below
from appliance.commissioning.errors import CommissioningError
from appliance.commissioning.gathering import Gathered, gather
from appliance.commissioning.learnt import LEAST_PICTURES, Learnt, learn
from appliance.config import ApplianceConfig
from appliance.inspection.measure import Rectangle
from appliance.inspection.quality import QualityConfig
from appliance.inspection.recipe import effective

_KEPT: Final = ("max_age_ms",)
"""What a person sets: no picture shows it. (Every picture that is older than its part's deadline is too old anyway.)"""
_SHOWN: Final = (
    ("brightness", "brightness, grey levels", 1.0),
    ("contrast", "contrast, grey levels", 1.0),
    ("black", "black, % of the pixels", 100.0),
    ("blown_out", "blown out, % of the pixels", 100.0),
    ("sharpness", "sharpness", 1.0),
)


def learn_limits(options: Namespace) -> int:
    """Print limits for the recipe, and with --write set them. Raises: CommissioningError, ConfigError."""
    chosen = choose(Namespace(config=options.config, camera=options.camera, set=[]))
    config = chosen.config
    assert config is not None  # --config is required
    recipe = options.recipe or config.cameras[chosen.name].recipe
    if recipe not in config.recipes:
        raise CommissioningError(f"There is no recipe {recipe!r}; there are {', '.join(config.recipes)}.")
    if options.pictures is not None and options.pictures < LEAST_PICTURES:
        raise CommissioningError(_too_few(options.pictures))
    gathered = gather(chosen, region_of(config, recipe), options)
    _check(gathered)
    learnt = learn(gathered.measures)
    values = _values(gathered, learnt, chosen, is_from_folder=options.folder is not None)
    _show(gathered, learnt)
    section = ("recipes", recipe, "quality")
    print()
    print(config_edit.as_toml(section, values), end="")
    if not options.write:
        print(f"\nNothing was written: --write puts this into {options.config}.", file=sys.stderr)
        return 0
    config_edit.write(options.config, section, values)
    print(
        f"\nWritten into {options.config}; what was there is kept as {options.config.name}.bak. "
        "A running line takes it with `systemctl reload appliance`.",
        file=sys.stderr,
    )
    return 0


def region_of(config: ApplianceConfig, recipe: str) -> Rectangle | None:
    """What the recipe's model sees of the picture, and nothing beside it; None for all of it.

    What lies outside may change without harm: a hand, a neighbour's lamp, the next part. See decision 21.
    """
    setting = config.recipes[recipe]
    value = effective(setting, metadata_below(config.models[setting.model].base_path))["input"]
    if value.get("roi") is not None:
        return _rectangle(value["roi"])
    if value.get("perspective") is not None:
        corners = np.asarray(value["perspective"]["corners"], float)
        low, high = np.maximum(np.floor(corners.min(axis=0)), 0), np.ceil(corners.max(axis=0))
        return _rectangle((*low, *(high - low)))
    if value.get("regions"):
        regions = np.asarray(list(value["regions"].values()))
        low = regions[:, :2].min(axis=0)
        return _rectangle((*low, *((regions[:, :2] + regions[:, 2:]).max(axis=0) - low)))
    return None


def _rectangle(four: Any) -> Rectangle:
    x, y, width, height = (int(one) for one in four)
    return x, y, width, height


def _too_few(pictures: int) -> str:
    return (
        f"{pictures} pictures are too few to see how good ones differ: at least {LEAST_PICTURES} are needed, "
        "50 are better, and 300 can show that fewer than 1 % of good ones will be rejected."
    )


def _check(gathered: Gathered) -> None:
    """Raises: CommissioningError where these pictures can teach nothing."""
    count = len(gathered.measures)
    if count < LEAST_PICTURES:
        raise CommissioningError(_too_few(count))
    if gathered.different < LEAST_PICTURES:
        raise CommissioningError(
            f"Of {count} pictures only {gathered.different} differ from the others, and at least {LEAST_PICTURES} "
            "different ones are needed: is the camera frozen, or does it not see the parts move?"
        )


def _values(gathered: Gathered, learnt: Learnt, chosen: Chosen, *, is_from_folder: bool) -> dict[str, Any]:
    """The whole section; None takes a key out of it."""
    values: dict[str, Any] = dict.fromkeys(name for name in QualityConfig.model_fields if name not in _KEPT)
    values |= {"width": gathered.size[0], "height": gathered.size[1], "region": gathered.region, **learnt.values}
    # A file's pixel format is its own; the camera may give another.
    is_own = not is_from_folder or chosen.settings.driver == "folder"
    values["pixel_format"] = gathered.pixel_format if is_own else None
    return values


def _show(gathered: Gathered, learnt: Learnt) -> None:
    count, rejected = len(gathered.measures), len(learnt.rejected)
    width, height = gathered.size
    where = "everywhere" if gathered.region is None else f"in {list(gathered.region)}"
    print(f"{count} pictures of {width}x{height} {gathered.pixel_format}, measured {where}:\n")
    for line in _table(gathered, learnt.values, learnt.outside):
        print(line)
    print(
        f"\nEach picture was held against limits learnt from the others: {rejected} of {count} would have been "
        f"rejected. So at most {upper_bound(rejected, count):.1%} of good pictures will be (95 % bound; "
        f"{count} pictures cannot show less than {upper_bound(0, count):.1%})."
    )
    for number in learnt.rejected:
        print(f"! {gathered.sources[number]} is unlike the others: if it does not show a good part, take it out.")
    if gathered.different < count:
        print(f"! {count - gathered.different} of the pictures equal another to the last bit: does the camera repeat?")
    for warning in learnt.warnings:
        print(f"! {warning}")


def _table(gathered: Gathered, values: Mapping[str, Any], outside: tuple[float, ...]) -> Iterator[str]:
    yield f"{'':28}{'min':>9}{'median':>9}{'max':>9}   limit"
    for measure, shown, factor in _SHOWN:
        seen = [factor * getattr(one, measure) for one in gathered.measures]
        low, high = (values.get(f"{end}_{measure}") for end in ("min", "max"))
        limits = (("at least", low), ("at most", high))
        said = ", ".join(f"{word} {factor * limit:g}" for word, limit in limits if limit is not None)
        yield _row(shown, seen) + (said or "none: it would keep nothing out")
    yield _row("cells outside, grey levels", list(outside)) + f"at most {values['max_outside']:g}"
    yield _row("age, ms", gathered.ages_ms) + "the part's deadline"


def _row(shown: str, seen: list[float]) -> str:
    return f"{shown:28}{min(seen):9.1f}{np.median(seen):9.1f}{max(seen):9.1f}   "
