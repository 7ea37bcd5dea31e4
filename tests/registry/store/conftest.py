import pytest
from registry.store.packages import FACTORY, digest, lay

from appliance.registry.store.store import Store

BALLAST = 64 << 10


@pytest.fixture
def factory_folder(tmp_path):
    return lay(tmp_path / "base" / "1", FACTORY)


@pytest.fixture
def store(tmp_path, factory_folder):
    """Open, with its factory model serving."""
    one = Store(tmp_path / "store", BALLAST)
    assert one.open().sentences == ()
    one.adopt_factory(factory_folder, 1, digest(FACTORY))
    yield one
    one.close()
