import pytest
from pydantic import ValidationError

from appliance.api.config import HttpConfig


def test_by_default_only_this_box_can_ask():
    assert (HttpConfig().host, HttpConfig().port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "192.168.1.7"])
def test_any_ip_address_can_be_set(host):
    assert HttpConfig(host=host).host == host


@pytest.mark.parametrize("host", ["localhost", "", "127.0.0.1:8080", "box.plant.example", "300.1.1.1"])
def test_a_name_is_refused_with_a_sentence(host):
    with pytest.raises(ValidationError, match=r"is not an IP address; write 127\.0\.0\.1"):
        HttpConfig(host=host)


@pytest.mark.parametrize("wrong", [{"port": -1}, {"port": 65_536}, {"threads": 0}, {"threads": 1000}, {"prot": 80}])
def test_what_is_out_of_bounds_or_unknown_is_refused(wrong):
    with pytest.raises(ValidationError):
        HttpConfig(**wrong)


def test_every_setting_is_described():
    assert all(field.description for field in HttpConfig.model_fields.values())
