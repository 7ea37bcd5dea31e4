"""Parts whose truth is known, with the model's scores; several pictures of one part are one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Cell: TypeAlias = tuple[str | None, str]
"""A region (None: all of them) and a defect class in it: what may have a limit of its own."""


@dataclass(frozen=True, slots=True)
class Classes:
    """What the model tells apart."""

    labels: tuple[str, ...]
    good_label: str | None
    """None where all classes are defects."""

    @property
    def defects(self) -> tuple[str, ...]:
        """All but the good one."""
        return tuple(label for label in self.labels if label != self.good_label)


@dataclass(frozen=True, slots=True)
class LabelledPart:
    """One picture, or one result, and what the part truly is."""

    name: str
    group: str
    """Pictures of one part, or of one batch, share it: ten pictures of one part are not ten parts."""
    is_good: bool
    kind: str | None
    """The class of its defect, where that is known."""
    rows: tuple[tuple[str | None, tuple[float, ...]], ...]
    """Region and scores, one per label, of each row that the model saw; no region where there is one or only tiles."""

    def doubt(self, classes: Classes) -> float:
        """0: certainly good, 1: certainly not; of its worst row. A part is OK where this is below the limit."""
        good = None if classes.good_label is None else classes.labels.index(classes.good_label)
        return max(
            max((score if label != good else 1.0 - score) for label, score in enumerate(scores))
            for _, scores in self.rows
        )

    def reaches(self, label: str, classes: Classes, region: str | None = None) -> float:
        """The highest score of a defect class; in one region, or anywhere."""
        index = classes.labels.index(label)
        return max((scores[index] for at, scores in self.rows if region is None or at == region), default=0.0)


@dataclass(frozen=True, slots=True)
class Group:
    """All pictures of one part that have the same truth; the part is what its worst picture makes of it."""

    name: str
    is_good: bool
    kind: str | None
    parts: tuple[LabelledPart, ...]
    doubt: float
    """Of a good one the highest of its pictures, of a bad one the lowest: where its mistake would happen first."""
    reached: Mapping[Cell, float]
    """Likewise, of each class, in each region and in all of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What limits are set on, and rates are counted on."""

    classes: Classes
    good: tuple[Group, ...]
    bad: tuple[Group, ...]

    @classmethod
    def of(cls, parts: Iterable[LabelledPart], classes: Classes) -> "Sample":
        """Grouped: pictures of one group and one truth are one."""
        together: dict[tuple[bool, str], list[LabelledPart]] = {}
        for part in parts:
            together.setdefault((part.is_good, part.group), []).append(part)
        groups = [_group(name, found, classes) for (_, name), found in together.items()]
        return cls(
            classes,
            tuple(group for group in groups if group.is_good),
            tuple(group for group in groups if not group.is_good),
        )

    @property
    def regions(self) -> tuple[str, ...]:
        """Those that have a name."""
        part = next((group.parts[0] for group in (*self.good, *self.bad)), None)
        return () if part is None else tuple(dict.fromkeys(region for region, _ in part.rows if region is not None))

    @property
    def pictures(self) -> int:
        """How many there are in all groups."""
        return sum(len(group.parts) for group in (*self.good, *self.bad))

    def without(self, left_out: Iterable[Group]) -> "Sample":
        """The same without these."""
        gone = {id(group) for group in left_out}
        keep = tuple(tuple(group for group in groups if id(group) not in gone) for groups in (self.good, self.bad))
        return Sample(self.classes, keep[0], keep[1])


def _group(name: str, parts: Sequence[LabelledPart], classes: Classes) -> Group:
    is_good = parts[0].is_good
    first = max if is_good else min
    regions = [None, *dict.fromkeys(region for region, _ in parts[0].rows if region is not None)]
    kinds = {part.kind for part in parts}
    return Group(
        name,
        is_good,
        kinds.pop() if len(kinds) == 1 else None,
        tuple(parts),
        first(part.doubt(classes) for part in parts),
        {
            (region, label): first(part.reaches(label, classes, region) for part in parts)
            for region in regions
            for label in classes.defects
        },
    )
