"""Logins: from docker's file, to the registry they belong to, and to nobody else."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from remote_servers import Blobs, Scripted, client

from appliance.registry.errors import Unavailable
from appliance.registry.remote.credentials import Login, read_credentials

SECRET = "correct-horse"
SCOPE = "repository:models/surface:pull"


def write(tmp_path, auths):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": auths}))
    return file


def basic(text):
    return base64.b64encode(text.encode()).decode()


def test_logins_as_docker_and_podman_write_them(tmp_path):
    file = write(
        tmp_path,
        {
            "registry.acme.test": {"auth": basic("a:b:c")},
            "https://index.docker.io/v1/": {"username": "d", "password": "e"},
            "harbor.acme.test:8443": {"auth": basic("<token>:"), "identitytoken": "refresh"},
            "shared.test/team/one": {"auth": basic("one:1")},
            "shared.test": {"auth": basic("all:2")},
            "helper.test": {},
        },
    )
    found = read_credentials(file)
    assert found.for_host("registry.acme.test") == Login("a", "b:c")
    assert found.for_host("REGISTRY.acme.test") == Login("a", "b:c")
    assert found.for_host("registry.acme.test:5000") is None
    assert found.for_host("evil-registry.acme.test") is None
    assert found.for_host("registry-1.docker.io") == Login("d", "e")
    assert found.for_host("harbor.acme.test:8443").identity_token == "refresh"
    assert found.for_host("shared.test", "team/one/surface").user == "one"
    assert found.for_host("shared.test", "team/onerous").user == "all"
    assert found.for_host("helper.test") is None
    assert "b:c" not in repr(found.for_host("registry.acme.test"))


@pytest.mark.parametrize(
    "content", ["[]", '{"auths": 5}', '{"auths": {"x": {"auth": "***secret***"}}}', "secret", '{"auths": {"x": 3}}']
)
def test_broken_file_is_named_and_not_shown(tmp_path, content):
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(Unavailable, match="is not as docker's config") as error:
        read_credentials(file)
    assert "secret" not in str(error.value)


class TokenServer:
    """A registry and its token server in one: tokens live `life_s`, and are for one scope."""

    def __init__(self, password=SECRET, life_s=300, realm=None):
        self.password = password
        self.life_s = life_s
        self.realm = realm
        self.given = []
        self.content = Blobs({"/v2/models/surface/manifests/1": b"manifest"})

    def __call__(self, request):
        url = urlsplit(request.path)
        if url.path == "/token":
            return self.token(request, parse_qs(request.body.decode() if request.body else url.query))
        if request.headers.get("authorization") not in [f"Bearer {token}" for token in self.given]:
            realm = self.realm or f"http://{request.headers['host']}/token"
            challenge = f'Bearer realm="{realm}",service="test-registry",scope="{SCOPE}"'
            return 401, {"WWW-Authenticate": challenge}, b"{}"
        return self.content(request)

    def token(self, request, asked):
        assert asked["service"] == ["test-registry"]
        assert asked["scope"] == [SCOPE]
        known = request.headers.get("authorization") == f"Basic {basic(f'box:{self.password}')}"
        if not known and asked.get("refresh_token") != ["refresh"] and self.password is not None:
            return 401, {}, b""
        self.given.append(f"token-{len(self.given)}")
        return 200, {}, json.dumps({"token": self.given[-1], "expires_in": self.life_s}).encode()


def read(http, server):
    return http.request("GET", f"{server.url}/v2/models/surface/manifests/1", scope=SCOPE)


def test_token_is_fetched_once_and_kept_until_it_expires(tmp_path):
    reply = TokenServer()
    with Scripted(reply) as server:
        file = write(tmp_path, {server.host: {"username": "box", "password": SECRET}})
        now = [1000.0]
        http = client(credentials_file=file)
        http._authorizer._now = lambda: now[0]
        assert [read(http, server).body for _ in range(3)] == [b"manifest"] * 3
        assert [urlsplit(request.path).path for request in server.requests].count("/token") == 1
        now[0] += 300
        assert read(http, server).status == 200
        assert len(reply.given) == 2
        reply.given.clear()  # the registry forgot them before their time
        assert read(http, server).status == 200
        http.close()
        for request in server.requests:
            if "/token" not in request.path:
                assert SECRET not in base64.b64decode(
                    request.headers.get("authorization", "").removeprefix("Basic ") + "==", validate=False
                ).decode(errors="replace")
            assert SECRET not in request.path


def test_anonymous_and_identity_tokens(tmp_path):
    with Scripted(TokenServer(password=None)) as server:
        http = client()
        assert read(http, server).status == 200
        http.close()
    with Scripted(TokenServer()) as server:
        http = client(
            credentials_file=write(tmp_path, {server.host: {"auth": basic("<token>:"), "identitytoken": "refresh"}})
        )
        assert read(http, server).status == 200
        assert [request.method for request in server.requests if request.path == "/token"] == ["POST"]
        http.close()


def test_refused_login_says_what_to_do(tmp_path):
    with Scripted(TokenServer()) as server:
        file = write(tmp_path, {server.host: {"username": "box", "password": "wrong-battery"}})
        http = client(credentials_file=file)
        with pytest.raises(Unavailable, match=r"login of 'box' in .*config\.json is refused") as error:
            read(http, server)
        assert "wrong-battery" not in str(error.value)
        http.close()


@pytest.mark.parametrize(
    "realm", ["http://tokens.evil.test/token", "ftp://x/", "http://[", "", "http://user:x@127.0.0.1/"]
)
def test_password_does_not_go_where_a_plain_server_points(tmp_path, realm):
    with Scripted(TokenServer(realm=realm or "nowhere")) as server:
        http = client(credentials_file=write(tmp_path, {server.host: {"username": "box", "password": SECRET}}))
        with pytest.raises(Unavailable, match="token server"):
            read(http, server)
        assert all("authorization" not in request.headers for request in server.requests)
        http.close()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token": 5}', b'{"token": "a\\r\\nX: y"}', b'{"token": "x", "expires_in": "soon"}']
)
def test_token_server_that_answers_nonsense(body):
    def reply(request):
        if "/token" in request.path:
            return 200, {}, body
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{request.headers["host"]}/token"'}, b""

    with Scripted(reply) as server:
        http = client()
        with pytest.raises(Unavailable, match="answers without a token"):
            read(http, server)
        http.close()
