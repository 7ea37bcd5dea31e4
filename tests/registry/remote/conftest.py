"""What the tests of remote places stand on."""

import sys
from pathlib import Path

import pytest
from registry_server import Registry

sys.path.insert(0, str(Path(__file__).parent))

from remote_servers import GRAPH, WEIGHTS


@pytest.fixture
def package(tmp_path):
    """A folder as a publisher has it; nothing here looks into its signatures."""
    folder = tmp_path / "package"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(GRAPH)
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(WEIGHTS)
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "release.json").write_bytes(b'{"payloadType": "test", "release": 12}')
    (folder / "model.sig").write_bytes(b'{"mediaType": "test"}')
    return folder


@pytest.fixture
def registry(tmp_path):
    started = Registry(tmp_path / "registry").start()
    yield started
    started.stop()
