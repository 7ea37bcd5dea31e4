import pytest
from delivered.boxes import Box


@pytest.fixture
def box(tmp_path):
    one = Box(tmp_path)
    yield one
    one.store.close()
