"""A data scientist's laptop in a test: a model, a key, and the `appliance` command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from registry_server import Registry
from running import DEMO_MODEL


class Laptop:
    """What a publisher has: a model, a key, and the `appliance` command."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        folder.mkdir()
        self.folder = folder
        self.destination = f"oci+http://{registry.host}/models/surface:stable"
        self.command("keys", "new", "plant", "--folder", str(folder))

    def command(self, *arguments: str) -> str:
        """One command; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli", *arguments], capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def trained(self, version: int, **limits: float) -> Path:
        """Another version of the demo model: the same network, other limits."""
        place = self.folder / f"surface-{version}"
        shutil.copytree(DEMO_MODEL / "1", place)
        inspection = place / "assets.extra" / "inspection.json"
        told = json.loads(inspection.read_text())
        told["limits"].update(limits)
        told["card"]["trained_on"] = f"the same, and named version {version}"
        inspection.write_text(json.dumps(told))
        return place

    def deploy(self, package: Path, version: int) -> str:
        """Lint, sign as the next release, push."""
        key = str(self.folder / "plant.key")
        return self.command(
            "deploy", str(package), self.destination, "--key", key, "--model", "surface", "--version", str(version),
            "--line", "test/site/area/line",
        )  # fmt: skip


def settings(
    laptop: Laptop, *, shadow_parts: int = 60, probation_parts: int = 150, canary_parts: int = 0, approve: bool = False
) -> str:
    """A box that follows it: short proofs, and a shadow that lets a disappointing model through."""
    return f"""
[models.surface.delivery]
source = "{laptop.destination}"
trusted_keys = ["{laptop.folder / "plant.pub"}"]
poll_s = 1
approve = {str(approve).lower()}
[models.surface.delivery.canary]
parts = {canary_parts}
[models.surface.delivery.shadow]
parts = {shadow_parts}
at_least_s = 1
min_agreement = 0.2
max_slower = 100
[models.surface.delivery.probation]
parts = {probation_parts}
at_least_s = 2
max_fail_rise = 0.1
"""
