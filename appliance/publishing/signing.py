"""Signs a package: its release statement, and the model-signing signature over all of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.registry.package.statement import Statement


@dataclass(frozen=True, slots=True)
class SigningOrder:
    """What `appliance sign` was asked for."""

    folder: Path
    key: Path
    """The private half, PEM."""
    release: int
    lines: tuple[str, ...] = ("**",)
    products: tuple[str, ...] = ()
    issued: datetime | None = None
    """None: now."""
    expires: datetime | None = None
    """None: a year after `issued`."""
    revokes: tuple[str, ...] = ()
    notes: str = ""
    min_appliance: str | None = None
    model: str | None = None
    """None, these two: as the package's assets.extra/package.json says."""
    version: int | None = None
    keep_signature: bool = False
    """Keep the model.sig that the model_signing tool wrote, where it holds."""
    force: bool = False
    """Sign in spite of lint errors."""


def sign(order: SigningOrder) -> Statement:
    """Write release.json and model.sig. About 0.5 s for 100 MB. Raises: PublishError, KeyUnusable."""
    raise NotImplementedError
