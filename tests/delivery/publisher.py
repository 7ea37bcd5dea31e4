"""A data scientist in a box of three functions: keys, signed packages of the demo model, and a folder to publish in."""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from running import DEMO_MODEL

from appliance.registry.package.keys import PrivateKey, new_key_pair
from appliance.registry.package.signing import make_statement, sign_folder, sign_statement

LINE = "test/site/area/line"
"""What a box with running.BASE as its topic stands on."""


class Publisher:
    """Publishes into `registry`, a plain folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.registry = folder / "registry"
        self.registry.mkdir(exist_ok=True)
        self.public_key = folder / "plant.pub"
        self.key: PrivateKey = new_key_pair(folder / "plant.key", self.public_key)

    def package(
        self,
        release: int,
        *,
        version: int | None = None,
        model: str = "surface",
        lines: Sequence[str] = (LINE,),
        key: PrivateKey | None = None,
        change: Callable[[Path], None] | None = None,
        metadata: dict | None = None,
        issued: datetime | None = None,
        valid: timedelta = timedelta(days=365),
        **said,
    ) -> Path:
        """The demo model with another card (so that its digest is its own), signed."""
        version = release + 1 if version is None else version
        place = self.folder / "packages" / str(release)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(DEMO_MODEL / "1", place)
        inspection = place / "assets.extra" / "inspection.json"
        told = json.loads(inspection.read_text())
        told["card"]["what"] = f"version {version}"
        told.update(metadata or {})
        inspection.write_text(json.dumps(told))
        if change is not None:
            change(place)
        issued = issued or datetime.now(timezone.utc).replace(microsecond=0)
        statement = make_statement(
            place,
            model=model,
            version=version,
            release=release,
            lines=lines,
            issued=issued,
            expires=issued + valid,
            **said,
        )
        (place / "release.json").write_bytes(sign_statement(statement, key or self.key))
        (place / "model.sig").write_bytes(sign_folder(place, key or self.key))
        return place

    def publish(self, package: Path, *, tag: str = "latest") -> Path:
        """Place it under its release's number, and point the tag at it."""
        there = self.registry / package.name
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(package, there)
        pointer = self.registry / f"{tag}.json"
        staging = pointer.with_suffix(".new")
        staging.write_text(json.dumps({"release": int(package.name), "path": package.name}))
        staging.rename(pointer)
        return there
