"""A publisher with a key, and a package made of the demonstration's model: what these tests stand on."""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from running import DEMO_MODEL

from appliance.protos import message
from appliance.registry.errors import Rejected
from appliance.registry.package.files import RELEASE_FILE, SIGNATURE_FILE
from appliance.registry.package.inventory import verify_folder
from appliance.registry.package.keys import PrivateKey, PublicKey, new_key_pair, read_public_key
from appliance.registry.package.signing import make_statement, sign_folder, sign_statement

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)


@dataclass
class Publisher:
    """Signs packages. `facts` are what its statements say where a test does not say otherwise."""

    key: PrivateKey
    public: PublicKey
    files: tuple[Path, Path]
    facts: dict = field(
        default_factory=lambda: {
            "model": "surface",
            "version": 7,
            "release": 12,
            "lines": ("acme/linz/hall2/line3",),
            "issued": NOW - timedelta(days=1),
            "expires": NOW + timedelta(days=90),
        }
    )

    def state(self, folder, **changes):
        return make_statement(folder, **{**self.facts, **changes})

    def sign(self, folder, **changes):
        """Both signatures into `folder`; gives the statement."""
        statement = self.state(folder, **changes)
        (folder / RELEASE_FILE).write_bytes(sign_statement(statement, self.key))
        (folder / SIGNATURE_FILE).write_bytes(sign_folder(folder, self.key))
        return statement


def new_publisher(folder, name, passphrase=None):
    files = folder / f"{name}.pem", folder / f"{name}.pub"
    key = new_key_pair(*files, passphrase)
    return Publisher(key, read_public_key(files[1]), files)


@pytest.fixture(scope="session")
def publisher(tmp_path_factory):
    return new_publisher(tmp_path_factory.mktemp("keys"), "publisher")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    return new_publisher(tmp_path_factory.mktemp("keys"), "stranger")


@pytest.fixture
def folder(tmp_path):
    """The demonstration's model, unsigned."""
    return Path(shutil.copytree(DEMO_MODEL / "1", tmp_path / "package"))


@pytest.fixture
def package(folder, publisher):
    """The same, signed: (folder, statement)."""
    return folder, publisher.sign(folder)


@pytest.fixture
def refused(publisher):
    """Verify a folder that must not pass; gives the refusal."""

    def verify(folder, statement, keys=None):
        with pytest.raises(Rejected) as caught:
            verify_folder(folder, statement, keys or [publisher.public])
        assert str(caught.value).endswith(".")
        return caught.value

    return verify


def saved_model(build) -> bytes:
    """A saved_model.pb with one graph, which `build(meta_graph)` fills in."""
    graph = message("tensorflow.MetaGraphDef")()
    build(graph)
    content = graph.SerializeToString()
    size, number = b"", len(content)
    while number >= 0x80:
        size += bytes([number & 0x7F | 0x80])
        number >>= 7
    return b"\x08\x01\x12" + size + bytes([number]) + content


@pytest.fixture
def graph_in(tmp_path):
    """Write a saved_model.pb into a folder of its own; gives the folder."""

    def write(build, folder=None):
        place = folder or tmp_path / "graph"
        place.mkdir(exist_ok=True)
        (place / "saved_model.pb").write_bytes(saved_model(build))
        return place

    return write


@pytest.fixture(scope="session")
def model_signing():
    """The real `model_signing` tool in an environment of its own, made once for this user and used again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inspection-appliance-tests"
    place = cache / f"model-signing-{sys.version_info[0]}.{sys.version_info[1]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            _install(place)
    return place / "bin" / "model_signing"


def _install(place):
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
    # pyopenssl: model-signing 1.1.1 imports it and does not say so
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "model-signing>=1.1.1,<2", "pyopenssl"]
    ran = subprocess.run(pip, capture_output=True, text=True, timeout=400, check=False)
    if ran.returncode:
        pytest.skip(f"NO INTEROPERATION TEST: pip cannot install model-signing: {ran.stderr.strip()[-300:]}")
    (place / "ready").touch()
