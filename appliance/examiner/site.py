"""The site's own golden pictures: labelled parts of this line, judged under each recipe of the model."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.examiner.candidate import Candidate
from appliance.examiner.failure import Failed, Reason, Stage
from appliance.examiner.talk import Talk
from appliance.golden.pictures import picture
from appliance.inspection import Evaluation, FrameUnfit, Plan
from appliance.runtimes.errors import InvalidInput, PredictError
from camera.drivers.folder import SUFFIXES

_PICTURES_MAX: Final = 5000
_GOOD: Final = "good"
"""The folder of good parts where the model has no label for them."""
_NAMED: Final = 5
"""Pictures that a sentence names."""


@dataclass(slots=True)
class Tally:
    """Pictures by what was expected and what came; one that is judged under two recipes counts twice."""

    good: int = 0
    bad: int = 0
    not_decidable: int = 0
    escaped: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    """False rejects. Names, with the recipe where there are several."""
    unknown_folders: tuple[str, ...] = ()
    """None of the model's labels; what is in them counts as bad."""

    @property
    def pictures(self) -> int:
        """All."""
        return self.good + self.bad

    def count(self, name: str, evaluation: Evaluation, *, is_good: bool) -> None:
        """One picture."""
        self.good += is_good
        self.bad += not is_good
        self.not_decidable += evaluation is Evaluation.NOT_DECIDABLE
        if is_good and evaluation is not Evaluation.OK:
            self.rejected.append(name)
        elif not is_good and evaluation is Evaluation.OK:
            self.escaped.append(name)


def judge(folder: Path, candidate: Candidate, talk: Talk) -> Tally:
    """Every picture, in the order of the names. Raises: Failed, Dismissed."""
    files = listed(folder)
    tally = Tally(unknown_folders=_unknown(files, candidate.plans))
    for number, name in enumerate(files, 1):
        talk.progress(f"picture {number} of {len(files)} of this site's own")
        for key, plan in candidate.plans.items():
            shown = name.as_posix() if len(candidate.plans) == 1 else f"{name.as_posix()} under recipes.{key}"
            evaluation = _evaluation(folder / name, shown, plan, candidate)
            tally.count(shown, evaluation, is_good=name.parts[0] == (plan.limits.good_label or _GOOD))
    return tally


def listed(folder: Path) -> list[Path]:
    """The pictures' names, relative, sorted. Raises: Failed."""
    try:
        found = sorted(_walk(folder))
    except OSError as error:
        raise _unreadable(
            f"The folder {error.filename} of golden pictures cannot be listed: {error.strerror}."
        ) from error
    if not found:
        raise _unreadable(
            f"There are no pictures in {folder}, which golden_folder names; put some there, or remove it."
        )
    if len(found) > _PICTURES_MAX:
        raise _unreadable(f"{folder} holds more than {_PICTURES_MAX} pictures; take the telling ones.")
    if loose := [name for name in found if len(name.parts) == 1]:
        raise _unreadable(f"{folder / loose[0]} lies in no folder that says its label; make one for each label.")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise error

    count = 0
    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(place, name).relative_to(folder)
                count += 1
        if count > _PICTURES_MAX:
            return


def _unknown(files: list[Path], plans: Mapping[str, Plan]) -> tuple[str, ...]:
    known = {label for plan in plans.values() for label in (*plan.labels, plan.limits.good_label or _GOOD)}
    return tuple(sorted({name.parts[0] for name in files} - known))


def _evaluation(file: Path, shown: str, plan: Plan, candidate: Candidate) -> Evaluation:
    try:
        batch = plan.preprocessor.apply(picture(file))
    except (OSError, ValueError, FrameUnfit) as error:
        raise _unreadable(f"The golden picture {shown} cannot be judged: {error}; replace or remove it.") from error
    try:
        decision = plan.judge(plan.infer(candidate.model, batch))
    except (PredictError, InvalidInput) as error:
        detail = f"The candidate fails on the golden picture {shown}: {error}"
        raise Failed(Stage.ACCEPTING, Reason.GOLDEN, detail) from error
    if decision.evaluation is Evaluation.UNDEFINED:
        detail = f"The candidate cannot judge the golden picture {shown}: {decision.detail}"
        raise Failed(Stage.ACCEPTING, Reason.NOT_FINITE, detail)
    return decision.evaluation


def some(names: list[str]) -> str:
    """A few of them, for a sentence."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _unreadable(sentence: str) -> Failed:
    return Failed(Stage.ACCEPTING, Reason.SITE_PICTURES, sentence)
