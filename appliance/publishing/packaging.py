"""Makes a package's folder out of a trained model: exported, described, with golden samples and a card."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from appliance.inspection.preprocess import InputSpec
from appliance.publishing.errors import PublishError
from appliance.publishing.golden import Sample, batch_of, copy_samples, store_samples, write_samples
from appliance.publishing.inspection import read_inspection
from appliance.publishing.lint_inspection import output_of
from appliance.publishing.mlflow import download, is_tracked
from appliance.publishing.progress import Progress
from appliance.publishing.running import run_module
from appliance.publishing.sources import Source, find_source
from appliance.runtimes.description import describe
from appliance.runtimes.errors import NotASavedModel
from appliance.runtimes.model import DEFAULT_SIGNATURE

EXTRA: Final = Path("assets.extra")
ABOUT: Final = EXTRA / "package.json"
"""Which model and version this is, for `appliance sign`."""
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
_PARTS: Final = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra")
"""What belongs to a SavedModel; anything else beside it stays where it is."""


@dataclass(frozen=True, slots=True)
class PackageOrder:
    """What `appliance package` was asked for."""

    source: str
    """A `.keras` file, a SavedModel's folder, an MLflow model's folder, or `models:/NAME@ALIAS`."""
    out: Path
    """The package's folder; made as a whole or not at all."""
    model: str
    version: int
    inspection: Path | None = None
    """An inspection.json; None: the one that SOURCE brings with it."""
    golden: Path | None = None
    """A finished folder with samples.json and its pictures."""
    golden_from: Path | None = None
    """Pictures: a folder for each label. Their scores are computed with the model itself."""
    tolerance: float = 0.02
    """How far a box' scores may lie from these."""
    card: Path | None = None
    labels: tuple[str, ...] = ()
    """Put into inspection.json, in the order of the model's scores."""
    tracking: str | None = None
    """MLflow's server, where SOURCE is `models:/...`; None: MLFLOW_TRACKING_URI."""
    replace: bool = False
    """Take the place of a package that is at `out` already."""


def make_package(order: PackageOrder, progress: Progress) -> Path:
    """The package's folder. Seconds; an export of a Keras model some ten. Raises: PublishError, ApplianceError."""
    _check(order)
    with TemporaryDirectory(prefix="appliance-package-") as scratch:
        source = find_source(_fetched(order, Path(scratch), progress))
        said, spec = read_inspection(order.inspection or source.inspection, order.labels)
        fresh = order.out.absolute().with_name(f".{order.out.name}.fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.parent.mkdir(parents=True, exist_ok=True)
            _fill(fresh, order, source, said, spec, progress)
            _take_place(fresh, order.out)
        except OSError as error:
            raise PublishError(f"{error.filename or order.out} could not be written: {error.strerror}.") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    progress.done()
    return order.out


def _check(order: PackageOrder) -> None:
    if not _NAME.fullmatch(order.model) or len(order.model) > 100:
        raise PublishError(f"{order.model!r} is no model's name: letters, digits and ._- only, at most 100.")
    if order.golden and order.golden_from:
        raise PublishError("--golden and --golden-from are two ways to the same; give one.")
    if order.card and not order.card.is_file():
        raise PublishError(f"The model card {order.card} is not there.")
    if order.out.is_dir() and any(order.out.iterdir()):
        if not order.replace:
            raise PublishError(f"{order.out} is there already; name another folder, or say --replace.")
        if not (order.out / "saved_model.pb").is_file():
            raise PublishError(
                f"{order.out} holds something that is no package, and stays as it is; name another folder."
            )
    elif order.out.exists() and not order.out.is_dir():
        raise PublishError(f"{order.out} is a file; name a folder for the package.")


def _fetched(order: PackageOrder, scratch: Path, progress: Progress) -> Path:
    if is_tracked(order.source):
        return download(order.source, order.tracking, scratch / "tracked", progress)
    return Path(order.source)


def _fill(
    fresh: Path, order: PackageOrder, source: Source, said: dict[str, Any], spec: InputSpec, progress: Progress
) -> None:
    golden = fresh.with_name(fresh.name + ".golden")
    shutil.rmtree(golden, ignore_errors=True)
    try:
        samples: list[Sample] = []
        if order.golden_from:
            progress.step("Cutting golden samples")
            samples = store_samples(order.golden_from, said["labels"], spec, golden)
        made = _exported(fresh, source, said, spec, samples, progress)
        _describe(fresh, order, source, said)
        if samples:
            shutil.rmtree(fresh / EXTRA / "golden", ignore_errors=True)
            golden.rename(fresh / EXTRA / "golden")
            write_samples(
                fresh / EXTRA / "golden", samples, made["scores"], made["input"], made["output"], order.tolerance
            )
        elif order.golden:
            shutil.rmtree(fresh / EXTRA / "golden", ignore_errors=True)
            copy_samples(order.golden, fresh / EXTRA / "golden")
    finally:
        shutil.rmtree(golden, ignore_errors=True)


def _exported(
    fresh: Path, source: Source, said: dict[str, Any], spec: InputSpec, samples: list[Sample], progress: Progress
) -> dict[str, Any]:
    """The SavedModel at `fresh`: the names of its input and output, and the samples' scores by the original."""
    batch = {"batch": batch_of(samples, spec)}
    if source.kind == "keras":
        progress.step(f"Exporting {source.path.name} with TensorFlow")
        order = {
            "model": str(source.path.absolute()),
            "out": str(fresh),
            "shape": list(spec.shape),
            "dtype": spec.dtype,
            "labels": said["labels"],
            "output": said.get("output"),
        }
        made = run_module("appliance.publishing.export_keras", order, batch, source.path)
        said["output"] = made["output"]
        return {**made, "input": "image"}
    progress.step(
        "Copying the SavedModel", sum(file.stat().st_size for file in source.path.rglob("*") if file.is_file())
    )
    _copy_model(source.path, fresh, progress)
    if not samples:
        return {}
    alias, output = _names(fresh, said)
    progress.step(f"Computing the scores of {len(samples)} golden samples")
    order = {"out": str(fresh), "input": alias, "output": output}
    return {
        **run_module("appliance.publishing.score_savedmodel", order, batch, source.path),
        "input": alias,
        "output": output,
    }


def _copy_model(source: Path, fresh: Path, progress: Progress) -> None:
    for part in _PARTS:
        for file in sorted((source / part).rglob("*")) if (source / part).is_dir() else [source / part]:
            if file.is_file():
                target = fresh / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                progress.advance(file.stat().st_size)


def _names(folder: Path, said: dict[str, Any]) -> tuple[str, str]:
    try:
        signature = describe(folder).signatures.get(DEFAULT_SIGNATURE)
    except NotASavedModel as error:
        raise PublishError(f"{error}.") from error
    output = None if signature is None else output_of(said, signature)
    if signature is None or len(signature.inputs) != 1 or output is None:
        raise PublishError(
            f"{folder.name.strip('.')}: its {DEFAULT_SIGNATURE} has to take one picture and give the scores as the "
            "output that inspection.json names; `appliance models show FOLDER` tells what it has."
        )
    return next(iter(signature.inputs)), output.alias


def _describe(fresh: Path, order: PackageOrder, source: Source, said: dict[str, Any]) -> None:
    extra = fresh / EXTRA
    extra.mkdir(exist_ok=True)
    if (fresh / "assets").is_dir() and not any((fresh / "assets").iterdir()):
        (fresh / "assets").rmdir()  # empty: no transport of files would keep it
    about = {"model": order.model, "version": order.version, "made_from": "mlflow" if source.tracked else source.kind}
    (extra / "inspection.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (fresh / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    if order.card:
        shutil.copyfile(order.card, extra / "README.md")


def _take_place(fresh: Path, out: Path) -> None:
    if out.is_dir():
        old = out.absolute().with_name(f".{out.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
        fresh.rename(out)
        shutil.rmtree(old)
    else:
        fresh.rename(out)
