"""Golden samples: pictures as the model sees them, and the scores that every box has to give for them."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.inspection.preprocess import InputSpec
from appliance.publishing.errors import PublishError
from appliance.publishing.pictures import ENDINGS, read_picture, read_sample, store_sample

SAMPLES_FILE: Final = "samples.json"
SAMPLES_MAX: Final = 200
"""Each box runs all of them before it takes a version."""
_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, stored; its scores come from the model."""

    file: Path
    label: str


def store_samples(pictures: Path, labels: Sequence[str], spec: InputSpec, into: Path) -> list[Sample]:
    """Cut, reduce and store the pictures of `pictures`: a folder for each label.

    Raises: PublishError where a folder is no label, a picture is none, or there are too many.
    """
    found = _pictures(pictures, labels)
    if len(found) > SAMPLES_MAX:
        raise PublishError(
            f"{pictures} holds {len(found)} pictures, and every box runs them all; choose {SAMPLES_MAX} at most."
        )
    into.mkdir(parents=True)
    samples = []
    for number, (file, label) in enumerate(found, 1):
        stored = into / f"{number:03d}-{label}.png"
        store_sample(read_picture(file), spec, stored)
        samples.append(Sample(stored, label))
    return samples


def batch_of(samples: Sequence[Sample], spec: InputSpec) -> Any:
    """The samples as the model's input, (samples, height, width, channels); a blank one where there are none."""
    import numpy as np

    if not samples:
        return np.zeros((1, *spec.shape), spec.dtype)
    return np.concatenate([read_sample(sample.file, spec) for sample in samples])


def write_samples(
    folder: Path,
    samples: Sequence[Sample],
    scores: Sequence[Sequence[float]],
    alias: str,
    output: str,
    tolerance: float,
) -> None:
    """`samples.json` beside the pictures."""
    said = {
        "input": alias,
        "output": output,
        "samples": [
            {
                "file": sample.file.name,
                "label": sample.label,
                "scores": [round(float(score), _DIGITS) for score in row],
                "tolerance": tolerance,
            }
            for sample, row in zip(samples, scores, strict=True)
        ],
    }
    (folder / SAMPLES_FILE).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def copy_samples(given: Path, into: Path) -> None:
    """A finished folder: samples.json and what it names. Raises: PublishError."""
    file = given / SAMPLES_FILE
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        names = [str(sample["file"]) for sample in said["samples"]]
        into.mkdir(parents=True)
        shutil.copy(file, into / SAMPLES_FILE)
        for name in names:
            if Path(name).name != name:
                raise PublishError(f"{file} names {name}, which does not lie beside it; put the pictures there.")
            shutil.copy(given / name, into / name)
    except OSError as error:
        raise PublishError(
            f"{error.filename or file} cannot be read: {error.strerror}; name a folder with samples.json."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PublishError(
            f"{file} is no list of golden samples ({error!r}); --golden-from makes one from pictures."
        ) from error


def _pictures(folder: Path, labels: Sequence[str]) -> list[tuple[Path, str]]:
    if not folder.is_dir():
        raise PublishError(f"{folder} is no folder; name one that holds a folder of pictures for each label.")
    found = []
    folders = [inside for inside in sorted(folder.iterdir()) if inside.is_dir()]
    for inside in folders:
        if inside.name not in labels:
            raise PublishError(f"{inside} is named like none of the labels ({', '.join(labels)}); rename it.")
    for inside in sorted(folders, key=lambda each: list(labels).index(each.name)):
        found += [(file, inside.name) for file in sorted(inside.iterdir()) if file.suffix.lower() in ENDINGS]
    if not found:
        raise PublishError(
            f"{folder} holds no folder of pictures; make one for each label: {', '.join(f'{one}/' for one in labels)}."
        )
    return found
