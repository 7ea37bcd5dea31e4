"""A real SavedModel that writes a file at each inference: without the seal it does, within it cannot."""

import shutil
from pathlib import Path

import pytest
from exporting import export

from appliance.sandbox import landlock

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock"),
]


@pytest.fixture
def writer(bench, tmp_path):
    """A box whose candidate writes `tmp_path`/taken."""
    metadata = (bench.version / "assets.extra" / "inspection.json").read_bytes()
    shutil.rmtree(bench.version)
    export(Path(__file__).with_name("make_models.py"), bench.version, str(tmp_path / "taken"))
    (bench.version / "assets.extra").mkdir()
    (bench.version / "assets.extra" / "inspection.json").write_bytes(metadata)
    bench.configure(model='engines = ["tensorflow-saved-model"]')
    return bench


def test_a_model_that_writes_files_cannot(writer, tmp_path):
    failed = writer.start(prepare=False).failed()
    assert (failed["stage"], failed["reason"]) == ("loading", "load_error")
    assert "Permission denied" in failed["detail"]
    assert not (tmp_path / "taken").exists()


def test_and_it_would_have(writer, tmp_path):
    failed = writer.start(prepare=False, stand_in="unsealed").failed()
    assert failed["reason"] == "golden_missing"  # it got as far as that
    assert (tmp_path / "taken").read_bytes() == Path("/etc/hostname").read_bytes()
