"""A publisher's desk: a Keras file, pictures, keys; and packages made of them by the real commands."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from exporting import export
from registry_server import Registry
from running import DEMO_MODEL

from appliance import cli
from appliance.publishing.packaging import ABOUT

LABELS = ("good", "scratch", "dent")
INSPECTION = {
    "labels": list(LABELS),
    "good_label": "good",
    "input": {"roi": [10, 10, 60, 40], "width": 30, "height": 20, "color": "MONO8", "dtype": "uint8", "resize": "area"},
    "limits": {"good_min": 0.7, "per_class": {"scratch": 0.5, "dent": 0.5}},
}
LEVELS = {"good": 128, "scratch": 25, "dent": 230}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line that was an error's."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


@pytest.fixture
def appliance(capsys) -> Callable[..., Said]:
    """The command in this process: quick, and the same `main`."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        try:
            code = cli.main([str(one) for one in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def desk(tmp_path_factory) -> Path:
    """Models, pictures and inspection.json, made once; tests read and do not change it."""
    folder = tmp_path_factory.mktemp("desk")
    export(Path(__file__).parent / "make_models.py", folder)
    (folder / "inspection.json").write_text(json.dumps(INSPECTION))
    (folder / "card.md").write_text("# Surface\n\nFinds scratches; not trained on wet parts.\n")
    generator = np.random.default_rng(5)
    for label, level in LEVELS.items():
        (folder / "pictures" / label).mkdir(parents=True)
        frame = generator.integers(level - 20, level + 20, (60, 90), dtype=np.uint8)  # a whole frame
        cv2.imwrite(str(folder / "pictures" / label / "frame.png"), frame)
    return folder


def package_arguments(desk: Path, out: Path, *more: object, source: object = None) -> list[object]:
    given = source or desk / "net.keras"
    named = ["--model", "surface", "--version", 7, "--inspection", desk / "inspection.json"]
    golden = ["--golden-from", desk / "pictures", "--card", desk / "card.md"]
    return ["package", given, "--out", out, *named, *golden, *more]


@pytest.fixture(scope="session")
def made_package(desk) -> Path:
    """A package of the Keras file; tests do not change it."""
    out = desk / "made"
    assert cli.main([str(one) for one in package_arguments(desk, out)]) == 0
    return out


@pytest.fixture(scope="session")
def keys(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("plant", "other"):
        assert cli.main(["keys", "new", name, "--folder", str(folder)]) == 0
    return folder


@pytest.fixture
def package(tmp_path) -> Path:
    """The shipped model as a package, unsigned: what needs no export does not wait for one."""
    folder = Path(shutil.copytree(DEMO_MODEL / "1", tmp_path / "surface-7"))
    (folder / ABOUT).write_text(json.dumps({"model": "surface", "version": 7}))
    (folder / "assets.extra/README.md").write_text("# Surface\n")
    return folder


@pytest.fixture
def signed(package, keys, appliance) -> Path:
    said = appliance("sign", package, "--key", keys / "plant.key", "--release", 3)
    assert said.code == 0, said.err
    return package


@pytest.fixture
def demo(tmp_path) -> Path:
    """A SavedModel with all that a package needs but a card and signatures."""
    return Path(shutil.copytree(DEMO_MODEL / "1", tmp_path / "demo"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    server = Registry(tmp_path_factory.mktemp("registry")).start()
    yield server
    server.stop()
