"""Which server is asked: never another one than the person named."""

from pathlib import Path

import pytest

from appliance.client.endpoints import Tls, endpoints
from appliance.client.errors import WrongUsage


@pytest.mark.parametrize(
    ("server", "rest", "grpc_port", "rest_port"),
    [
        (None, None, "127.0.0.1:8500", "http://127.0.0.1:8501"),
        ("box:8500", None, "box:8500", "http://box:8501"),
        ("box:9000", None, "box:9000", None),
        ("unix:/run/models", None, "unix:/run/models", None),
        (None, "http://box:8501/", "box:8500", "http://box:8501"),
        (None, "http://box:80", None, "http://box:80"),
        ("a:1", "https://b:2", "a:1", "https://b:2"),
        ("[::1]:8500", None, "[::1]:8500", "http://[::1]:8501"),
    ],
)
def test_a_usual_port_stands_for_both_and_an_unusual_one_for_itself(server, rest, grpc_port, rest_port):
    found = endpoints(server, rest, Tls())
    assert (found.grpc, found.rest) == (grpc_port, rest_port)


def test_a_server_with_tls_has_it_for_grpc_and_answers_rest_in_the_clear():
    assert endpoints(None, None, Tls(ca=Path("ca.pem"))).rest == "http://127.0.0.1:8501"


@pytest.mark.parametrize(("rest", "tls"), [("box:8501", Tls()), ("ftp://box", Tls()), (None, Tls(cert=Path("c.pem")))])
def test_what_cannot_be_meant_is_refused(rest, tls):
    with pytest.raises(WrongUsage):
        endpoints(None, rest, tls)
