"""Our packing of properties is paho's, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from appliance.mqtt.properties import packed

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=200)


@given(
    st.one_of(st.none(), st.dictionaries(TEXT, TEXT, max_size=6)),
    st.one_of(st.none(), TEXT),
    st.one_of(st.none(), st.binary(max_size=200)),
)
def test_it_is_what_paho_makes_of_it(attributes, content_type, correlation):
    theirs = Properties(PacketTypes.PUBLISH)
    theirs.PayloadFormatIndicator = 1
    if content_type is not None:
        theirs.ContentType = content_type
    if correlation is not None:
        theirs.CorrelationData = correlation
    if attributes:
        theirs.UserProperty = list(attributes.items())
    ours = packed(attributes, content_type, correlation)
    assert sorted(ours) == sorted(theirs.pack()), "the same, though maybe in another order"
    found, length = Properties(PacketTypes.PUBLISH).unpack(ours)
    assert length == len(ours)
    assert found.json() == theirs.json()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="too many for a property"):
        packed({"id": "x" * 65_536}, None, None)
