"""Where OK ends and NotOK begins: for every class, and where a region has its own, for that region."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from appliance.inspection.errors import RecipeError

Score = Annotated[float, Field(ge=0, le=1)]


class RegionLimitsConfig(BaseModel, extra="forbid", frozen=True):
    """One region's own limits. Everything left out is as for all regions."""

    good_min: Score | None = Field(default=None, description="OK needs at least this score for the good label")
    per_class: dict[str, Score] | None = Field(
        default=None, description="defect label = score at or above which the part is NotOK"
    )
    review: dict[str, Score] | None = Field(
        default=None,
        description="defect label = score at or above which the part is not OK, but for a person",
    )


class LimitsConfig(RegionLimitsConfig, extra="forbid", frozen=True):
    """Where OK ends and NotOK begins. Everything left out is taken from the model's own metadata."""

    regions: dict[str, RegionLimitsConfig] | None = Field(
        default=None, description="region = what of good_min, per_class and review is different there"
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """All scores and limits are in 0..1."""

    per_class: Mapping[str, float]
    """Defect label: the part is NotOK when its score is at or above this."""
    good_label: str | None = None
    """The label that means 'nothing wrong'; None where the model has only defect classes."""
    good_min: float | None = None
    """OK needs at least this score for the good label; required where there is one."""
    review: Mapping[str, float] = field(default_factory=dict)
    """Defect label: OK needs a score below this. Without an entry the `per_class` limit stands for both."""
    regions: Mapping[str, "Limits"] = field(default_factory=dict)
    """The regions that have limits of their own: all that hold there."""

    @classmethod
    def from_metadata(cls, said: Mapping[str, Any]) -> "Limits":
        """Read `limits` and `good_label` as inspection.json has them. Raises: RecipeError."""
        try:
            limits = said.get("limits") or {}
            base = cls(good_label=said.get("good_label"), **_values(limits))
            own = {str(name): _values(values) for name, values in (limits.get("regions") or {}).items()}
            return replace(base, regions={name: base.overlaid(values) for name, values in own.items()})
        except (TypeError, ValueError, AttributeError) as error:
            raise RecipeError(
                "limits cannot be read; they have to be {good_min: number, per_class: {label: number}, "
                "review: {label: number}, regions: {region: the same}}."
            ) from error

    def overlaid(self, values: Mapping[str, Any]) -> "Limits":
        """These, with a region's own before them, class by class."""
        return replace(
            self,
            per_class={**self.per_class, **values["per_class"]},
            review={**self.review, **values["review"]},
            good_min=self.good_min if values["good_min"] is None else values["good_min"],
            regions={},
        )

    def of(self, region: str | None) -> "Limits":
        """What holds in a region."""
        return self if region is None else self.regions.get(region, self)

    def check(self, labels: Sequence[str], regions: Collection[str] | None = None) -> None:
        """Raises: RecipeError where a label has no limit, or a limit no label or no region. Nothing is guessed.

        `regions`: those that the input has; None where that is not known.
        """
        self.check_values(labels, "limits")
        for name, limits in self.regions.items():
            if regions is not None and name not in regions:
                have = f"the regions are {_list(regions)}" if regions else "the input has no named regions"
                raise RecipeError(f"limits.regions.{name} is set, but {have}.{_nearest(name, regions)}")
            limits.check_values(labels, f"limits.regions.{name}")

    def check_values(self, labels: Sequence[str], where: str) -> None:
        """One region's. `where`: what they are called in the file. Raises: RecipeError."""
        if self.good_label is not None and self.good_label not in labels:
            raise RecipeError(
                f"The good label {self.good_label!r} is not one of the model's labels ({_list(labels)}); "
                f"set good_label to one of them.{_nearest(self.good_label, labels)}"
            )
        if self.good_label is not None and self.good_min is None:
            raise RecipeError(f"No limit good_min for the good label {self.good_label!r}; set {where}.good_min, 0..1.")
        if self.good_min is not None and not 0 <= self.good_min <= 1:
            raise RecipeError(f"{where}.good_min is {self.good_min}; it has to be in 0..1.")
        self._check_classes([label for label in labels if label != self.good_label], where)

    def _check_classes(self, defects: Sequence[str], where: str) -> None:
        for label in defects:
            if label not in self.per_class:
                raise RecipeError(f"No limit for the class {label!r}; set {where}.per_class.{label}, 0..1.")
        for name, limits in (("per_class", self.per_class), ("review", self.review)):
            for label, limit in limits.items():
                if label not in defects:
                    raise RecipeError(
                        f"{where}.{name}.{label} is set, but the model's defect classes are {_list(defects)}."
                        f"{_nearest(label, defects)}"
                    )
                if not 0 <= limit <= 1:
                    raise RecipeError(f"{where}.{name}.{label} is {limit}; it has to be in 0..1.")
        for label, limit in self.review.items():
            if limit > self.per_class[label]:
                raise RecipeError(
                    f"{where}.review.{label} ({limit}) is above {where}.per_class.{label} "
                    f"({self.per_class[label]}); a part would be OK and NotOK at once."
                )


def _values(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "per_class": {str(label): float(limit) for label, limit in (limits.get("per_class") or {}).items()},
        "good_min": None if limits.get("good_min") is None else float(limits["good_min"]),
        "review": {str(label): float(limit) for label, limit in (limits.get("review") or {}).items()},
    }


def _list(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _nearest(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name, known, 1)
    return f" Did you mean {found[0]!r}?" if found else ""
