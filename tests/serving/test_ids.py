import pytest

from appliance.serving import ServableId


def test_version_zero_is_a_version():
    assert ServableId("surface", 0).version == 0


def test_ids_are_ordered_by_number_and_not_by_spelling():
    assert max(ServableId("surface", 9), ServableId("surface", 10)).version == 10


@pytest.mark.parametrize("version", [-1, 2**63])
def test_what_is_no_int64_is_no_version(version):
    with pytest.raises(RuntimeError, match="is not in"):
        ServableId("surface", version)


def test_a_servable_without_a_name_is_a_bug():
    with pytest.raises(RuntimeError, match="has a name"):
        ServableId("", 1)


def test_an_id_reads_as_in_tensorflow_serving():
    assert str(ServableId("surface", 7)) == "{name: surface version: 7}"
