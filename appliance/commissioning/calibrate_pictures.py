"""Labelled pictures, judged as the line would judge them."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from appliance.commissioning.errors import CommissioningError
from appliance.inspection.calibration import Classes, LabelledPart
from appliance.inspection.errors import FrameUnfit
from appliance.inspection.plan import Classifier, Plan
from appliance.inspection.quality import QualityGate
from appliance.inspection.recipe import RecipeConfig
from camera.drivers.folder import SUFFIXES
from camera.frame import Frame
from camera.pictures import UnreadablePicture, decode

GOOD: Final = ("good", "ok", "pass")
BAD: Final = ("bad", "fail", "not_ok")
"""Names of folders beside those of the model's own classes."""
_FILE_MAX_BYTES: Final = 256 << 20
_REDRAWN_S: Final = 0.1


def judge_pictures(
    folder: Path, recipe: RecipeConfig, plan: Plan, model: Classifier, classes: Classes, progress: TextIO | None
) -> tuple[list[LabelledPart], list[str]]:
    """Every picture's scores, and what has to be said about those that have none.

    Raises: CommissioningError where the folders do not say what the parts are.
    """
    # In which format a file is stored says nothing of the camera's.
    gate = QualityGate(recipe.quality.model_copy(update={"pixel_format": None}))
    parts: list[LabelledPart] = []
    unfit: Counter[str] = Counter()
    pictures = _listed(folder, classes)
    shown_at = 0.0
    for number, (file, is_good, kind) in enumerate(pictures, 1):
        if progress is not None and (time.monotonic() - shown_at > _REDRAWN_S or number == len(pictures)):
            shown_at = time.monotonic()
            print(f"\r{number} of {len(pictures)} pictures judged", end="", file=progress, flush=True)
        rows = _judge(file, gate, plan, model)
        if isinstance(rows, str):
            unfit[rows] += 1
            continue
        name = file.relative_to(folder).as_posix()
        parts.append(LabelledPart(name, _group(folder, file), is_good, kind, rows))
    if progress is not None:
        print("\r\x1b[K", end="", file=progress, flush=True)
    notes = [f"{count} picture(s) left out, the line would not judge them: {why}" for why, count in unfit.items()]
    return parts, notes


def _listed(folder: Path, classes: Classes) -> list[tuple[Path, bool, str | None]]:
    if not folder.is_dir():
        raise CommissioningError(f"{folder} is no folder; it has to hold a folder of pictures for each label.")
    truths: Mapping[str, tuple[bool, str | None]] = {
        **dict.fromkeys(BAD, (False, None)),
        **dict.fromkeys(GOOD, (True, None)),
        **{label: (False, label) for label in classes.defects},
        **({} if classes.good_label is None else {classes.good_label: (True, None)}),
    }
    known = ", ".join([*classes.labels, "good", "bad"])
    found: list[tuple[Path, bool, str | None]] = []
    for one in sorted(folder.iterdir()):
        if one.is_file():
            if one.suffix.lower() in SUFFIXES:
                raise CommissioningError(f"{one} lies in no label's folder; put it into one of {known}.")
            continue
        if one.name not in truths:
            raise CommissioningError(f"{one} is no label's folder; the labels are {known}.")
        files = sorted(file for file in one.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        found += [(file, *truths[one.name]) for file in files]
    if not found:
        raise CommissioningError(f"There are no pictures in {folder}; put them into folders named {known}.")
    return found


def _judge(
    file: Path, gate: QualityGate, plan: Plan, model: Classifier
) -> tuple[tuple[str | None, tuple[float, ...]], ...] | str:
    """The scores, row by row; or why the line would not judge it."""
    try:
        with file.open("rb") as opened:
            pixels, pixel_format = decode(opened.read(_FILE_MAX_BYTES))
    except (UnreadablePicture, OSError) as error:
        raise CommissioningError(f"{file} cannot be read: {error}. Take it away or store it anew.") from error
    now_ns = time.monotonic_ns()
    frame = Frame(pixels, pixel_format, sequence=0, epoch=1, exposed_ns=now_ns, exposed_utc_ns=time.time_ns())
    unfit = gate.check(frame, now_ns)
    if unfit is not None:
        return unfit.reason.value
    try:
        batch = plan.preprocessor.apply(frame)
    except FrameUnfit as error:
        raise CommissioningError(f"{file} does not fit the recipe: {error}") from error
    windows = plan.preprocessor.windows
    scores = np.asarray(plan.infer(model, batch)).reshape(len(windows), -1)
    return tuple((window.region, tuple(row)) for window, row in zip(windows, scores.tolist(), strict=True))


def _group(folder: Path, file: Path) -> str:
    """Below its label's folder: its own folder where it lies in one, else the file itself."""
    within = file.relative_to(folder).parts[1:]
    return "/".join(within[:-1]) if len(within) > 1 else file.relative_to(folder).as_posix()
