"""The HTTP client: whom it talks to, what it tells them, and when it stops."""

import base64
import json
import select
import socket
import ssl
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from certificates import make_certificates
from remote_servers import AGENT, Blobs, Scripted, client

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote import proxies
from appliance.registry.remote.retry_after import retry_after_s

LOGIN = "Basic " + base64.b64encode(b"box:correct-horse").decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    return context


def logins(tmp_path, *hosts):
    file = tmp_path / "config.json"
    auth = base64.b64encode(b"box:correct-horse").decode()
    file.write_text(json.dumps({"auths": {host: {"auth": auth} for host in hosts}}))
    return file


def asks_for_login(request):
    if "authorization" not in request.headers:
        return 401, {"WWW-Authenticate": 'Basic realm="test"'}, b"who?"
    return 200, {}, b"welcome"


def test_one_connection_that_names_the_box():
    with Scripted(Blobs({"/a": b"1", "/b": b"22"})) as server:
        http = client()
        assert [http.request("GET", f"{server.url}/{path}").body for path in ("a", "b", "a")] == [b"1", b"22", b"1"]
        assert http.request("HEAD", f"{server.url}/b").headers["content-length"] == "2"
        assert http.request("GET", f"{server.url}/c").status == 404
        assert server.connections == 1
        assert {request.headers["user-agent"] for request in server.requests} == {AGENT}
        http.close()


def test_connection_that_the_server_closed_meanwhile_is_made_anew():
    def reply(request):
        request.handler.close_connection = True  # without saying so
        return 200, {}, b"ok"

    with Scripted(reply) as server:
        http = client()
        for _ in range(3):
            assert http.request("GET", f"{server.url}/").body == b"ok"
        assert server.connections == 3
        http.close()


def test_redirect_to_a_host_that_is_not_allowed_is_refused():
    with Scripted(Blobs({"/x": b"evil"})) as other:
        there = f"http://localhost:{other.port}/x"
        with Scripted(lambda request: (307, {"Location": there}, b"")) as server:
            http = client()
            with pytest.raises(
                Rejected, match=r"localhost:\d+, which is not among delivery\.redirect_hosts"
            ) as refused:
                http.request("GET", f"{server.url}/x")
            assert refused.value.reason is Refusal.REDIRECT
            assert other.requests == []
            http.close()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_storage_that_is_allowed_never_hears_the_login(tmp_path, name):
    with Scripted(lambda request: (200, {}, b"blob")) as storage:
        there = f"http://{name}:{storage.port}/x?X-Signature=abc"

        def reply(request):
            found = asks_for_login(request)
            return (307, {"Location": there}, b"") if found[0] == 200 else found

        with Scripted(reply) as server:
            # also a login for the storage itself is not sent there
            file = logins(tmp_path, server.host, f"{name}:{storage.port}")
            http = client(redirect_hosts=("localhost",), credentials_file=file)
            for _ in range(2):
                assert http.request("GET", f"{server.url}/x").body == b"blob"
            assert [request.headers.get("authorization") for request in server.requests] == [None, LOGIN, LOGIN]
            assert [request.headers.get("authorization") for request in storage.requests] == [None, None]
            http.close()


def test_login_never_goes_from_https_to_http(tmp_path, tls, certificates):
    with Scripted(lambda request: (200, {}, b"blob")) as plain:

        def reply(request):
            found = asks_for_login(request)
            return (302, {"Location": f"{plain.url}/x"}, b"") if found[0] == 200 else found

        with Scripted(reply, tls) as server:
            file = logins(tmp_path, server.host, plain.host)
            http = client(credentials_file=file, ca_file=certificates / "ca.pem")
            assert http.request("GET", f"{server.url}/x").body == b"blob"
            assert server.requests[-1].headers["authorization"] == LOGIN
            assert "authorization" not in plain.requests[0].headers
            http.close()


@pytest.mark.parametrize("where", ["/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", ""])
def test_redirects_that_lead_nowhere(where):
    with Scripted(lambda request: (302, {"Location": where}, b"")) as server:
        http = client()
        with pytest.raises(Rejected) as refused:
            http.request("GET", f"{server.url}/x")
        assert refused.value.reason is Refusal.REDIRECT
        assert len(server.requests) <= 6
        http.close()


def test_certificate_of_a_stranger_is_refused(tls, certificates):
    with Scripted(lambda request: (200, {}, b"hello"), tls) as server:
        trusting = client(ca_file=certificates / "ca.pem")
        assert trusting.request("GET", f"{server.url}/").body == b"hello"
        trusting.close()
        http = client()
        with pytest.raises(Unavailable, match=r"not trusted .*delivery\.ca_file"):
            http.request("GET", f"{server.url}/")
        http.close()


def test_wrong_files_are_named(tmp_path):
    (tmp_path / "none.pem").write_text("no certificate")
    for changes, said in (
        ({"ca_file": tmp_path / "none.pem"}, "ca_file .*none.pem cannot be used"),
        ({"ca_file": tmp_path / "lost.pem"}, "ca_file .*lost.pem cannot be used: No such file"),
        ({"credentials_file": tmp_path / "lost.json"}, "credentials_file .*lost.json cannot be read: No such file"),
        ({"credentials_file": tmp_path / "none.pem"}, "credentials_file .* is not as docker's config.json"),
    ):
        with pytest.raises(Unavailable, match=said):
            client(**changes)


class Tunnel:
    """What a proxy does on CONNECT: whatever was asked for, it leads to `port`."""

    def __init__(self, port):
        self.port = port

    def __call__(self, request):
        if request.method != "CONNECT":
            return 200, {}, b"fetched by the proxy"
        if request.headers.get("proxy-authorization") != LOGIN:
            return 407, {}, b""
        request.handler.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        here = request.handler.connection
        with socket.create_connection(("127.0.0.1", self.port), 5) as there:
            while ready := select.select([here, there], [], [], 5)[0]:
                for side in ready:
                    data = side.recv(65_536)
                    if not data:
                        return None
                    (there if side is here else here).sendall(data)
        return None


def test_https_goes_through_a_tunnel(monkeypatch, tls, certificates):
    monkeypatch.setattr(proxies, "_is_this_box", lambda host: False)
    with Scripted(lambda request: (200, {}, b"hello"), tls) as server, Scripted(Tunnel(server.port)) as proxy:
        through = f"http://box:correct-horse@{proxy.host}"
        http = client(proxy=through, ca_file=certificates / "ca.pem")
        assert http.request("GET", f"https://localhost:{server.port}/x").body == b"hello"
        assert proxy.requests[0].path == f"localhost:{server.port}"
        assert "proxy-authorization" not in server.requests[0].headers
        http.close()
        wrong = client(proxy=f"http://box:wrong@{proxy.host}", ca_file=certificates / "ca.pem")
        with pytest.raises(Unavailable, match=r"the proxy .* answers 407") as refused:
            wrong.request("GET", f"https://localhost:{server.port}/x")
        assert "wrong" not in str(refused.value)
        wrong.close()


def test_proxies_of_the_environment(monkeypatch):
    with Scripted(Tunnel(0)) as proxy, Scripted(lambda request: (200, {}, b"direct")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        http = client()
        assert http.request("GET", "http://registry.test/v2/?n=1").body == b"fetched by the proxy"
        assert proxy.requests[0].path == "http://registry.test/v2/?n=1"
        assert http.request("GET", f"{server.url}/").body == b"direct"  # this box itself is not behind a proxy
        http.close()
        monkeypatch.setenv("NO_PROXY", "registry.test")
        monkeypatch.setenv("no_proxy", "registry.test")
        assert proxies.proxy_for("http", "registry.test", None) is None
        with pytest.raises(Unavailable, match=r"delivery\.proxy is no proxy's address"):
            proxies.proxy_for("https", "other.test", "socks5://proxy:1")


def test_answers_have_limits():
    def reply(request):
        if request.path == "/headers":
            return 200, {f"X-{number}": "x" * 60_000 for number in range(3)}, b""
        if request.path == "/noise":
            request.handler.wfile.write(b"SSH-2.0-OpenSSH\r\n" * 10)
            return None
        if request.path == "/drip":
            while not server.ending.wait(0.01):
                request.handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        return 200, {}, b"x" * 1001

    with Scripted(reply) as server:
        http = client()
        with pytest.raises(Rejected, match="longer than 1000 bytes") as refused:
            http.request("GET", f"{server.url}/body", max_body=1000)
        assert refused.value.reason is Refusal.TOO_LARGE
        assert len(http.request("GET", f"{server.url}/body", max_body=1001).body) == 1001
        for path in ("headers", "noise"):
            with pytest.raises(Unavailable, match="does not speak HTTP as it should"):
                http.request("GET", f"{server.url}/{path}")
        with (
            pytest.raises(Unavailable, match="did not finish its answer in time"),
            http.stream("GET", f"{server.url}/drip", whole_s=0.2),
        ):
            pass
        http.close()


def test_server_that_says_nothing_is_left():
    with Scripted(lambda request: server.ending.wait(10) and None) as server:
        http = client(timeout_s=0.1)
        with pytest.raises(Unavailable, match="silent for longer"):
            http.request("GET", f"{server.url}/")
        http.close()


def test_body_is_sent_again_after_a_login(tmp_path):
    (tmp_path / "blob").write_bytes(b"x" * 100_000)

    def reply(request):
        found = asks_for_login(request)
        return (201, {}, b"") if found[0] == 200 else found

    with Scripted(reply) as server, (tmp_path / "blob").open("rb") as body:
        http = client(credentials_file=logins(tmp_path, server.host))
        answer = http.request("PUT", f"{server.url}/upload", body=body, length=100_000)
        assert answer.status == 201
        assert [len(request.body) for request in server.requests] == [100_000, 100_000]
        http.close()


def test_moment_to_come_back_is_the_servers():
    then = datetime(2030, 1, 1, tzinfo=timezone.utc)
    late = format_datetime(then + timedelta(seconds=90), usegmt=True)
    assert retry_after_s({"retry-after": "17"}) == 17
    assert retry_after_s({"retry-after": late, "date": format_datetime(then, usegmt=True)}) == 90
    assert retry_after_s({"retry-after": format_datetime(then, usegmt=True), "date": late}) == 0
    assert retry_after_s({"retry-after": "99999999999"}) == 86_400
    for nonsense in ("", "soon", "-5", "1e9", "Mon, 99 Foo 2020"):
        assert retry_after_s({"retry-after": nonsense}) is None
