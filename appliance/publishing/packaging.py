"""Makes a package's folder out of a trained model: exported, described, with golden samples and a card."""

from dataclasses import dataclass
from pathlib import Path

from appliance.publishing.progress import Progress


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
    raise NotImplementedError
