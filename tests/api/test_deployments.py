"""Deliveries over REST: the real app, server and control socket, and behind it a double that keeps its promises."""

import socket
import threading
import time

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from running import until
from steering.boxes import deployment
from steering.steered import LIVE, OVER, Steered

from appliance.api import access as access_module
from appliance.registry.deployments.states import State
from appliance.steering.document import SCHEMA_PATH
from appliance.steering.requests import Request, Verb

TOKEN = "3f8a2b61c7d94e05"


@pytest.fixture
def steered(tmp_path):
    one = Steered(tmp_path).start_delivery()
    yield one
    one.close()


@pytest.fixture
def tokens(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"# who may steer\nanna {TOKEN}\n\nci-server {TOKEN}-of-ci\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def far(tmp_path, tokens, monkeypatch):
    """A box whose callers all come from another host."""
    monkeypatch.setattr(access_module, "_is_loopback", lambda _address: False)
    one = Steered(tmp_path, tokens=tokens).start_delivery()
    yield one
    one.close()


def test_everything_is_in_one_document_that_its_schema_describes(steered):
    answer = steered.ask("GET", "/deployments")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    served = steered.ask("GET", "/schema/deployment.json")
    assert served.body == SCHEMA_PATH.read_bytes()
    Draft202012Validator(served.json, format_checker=FormatChecker()).validate(answer.json)
    assert answer.json["models"]["surface"]["deployment"]["id"] == LIVE.id


def test_what_the_caller_has_already_is_not_sent_again(steered):
    first = steered.ask("GET", "/deployments")
    again = steered.ask("GET", "/deployments", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    steered.changed(approved_by="anna")
    until(
        lambda: steered.ask("GET", "/deployments", If_None_Match=first.headers["etag"]).status == 200, "the change", 10
    )


def test_a_long_poll_ends_with_the_change(steered):
    tag = steered.ask("GET", "/deployments").headers["etag"]
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(steered.ask("GET", "/deployments?wait_s=20", If_None_Match=tag))
    )
    waiting.start()
    until(lambda: steered.newest._changed._waiters, "the poll", 10)
    assert answers == []
    steered.changed(state=State.LOADING, waiting_for=None)
    waiting.join(10)
    assert answers[0].json["models"]["surface"]["deployment"]["state"] == "loading"


def test_a_long_poll_without_a_change_ends_with_304(steered):
    tag = steered.ask("GET", "/deployments").headers["etag"]
    assert steered.ask("GET", "/deployments?wait_s=0.05", If_None_Match=tag).status == 304
    assert steered.ask("GET", "/deployments?wait_s=31").status == 422


def test_those_who_wait_leave_room_for_the_health_page(steered):
    tag = steered.ask("GET", "/deployments").headers["etag"]
    polls = [
        threading.Thread(target=steered.ask, args=("GET", "/deployments?wait_s=20"), kwargs={"If_None_Match": tag})
        for _ in range(2)
    ]
    for poll in polls:
        poll.start()
    until(lambda: len(steered.newest._changed._waiters) == 2, "both polls", 10)
    third = steered.ask("GET", "/deployments?wait_s=20", If_None_Match=tag)
    assert (third.status, third.headers["retry-after"]) == (304, "2"), "it does not wait, and is told when to ask again"
    steered.handler.hold.clear()
    asking = threading.Thread(target=steered.ask, args=("POST", "/models/surface/pause"))
    asking.start()
    until(lambda: steered.handler.asked, "the change under way", 10)
    assert steered.ask("GET", "/livez").status == 503, "answered, though the line of this test does not report"
    busy = steered.ask("POST", "/models/surface/pause")
    assert (busy.status, busy.headers["retry-after"]) == (503, "2")
    steered.handler.hold.set()
    steered.changed(approved_by="anna")
    for thread in (*polls, asking):
        thread.join(10)
        assert not thread.is_alive()


def test_a_server_of_two_threads_lets_nobody_wait(tmp_path):
    one = Steered(tmp_path, threads=2).start_delivery()
    tag = one.ask("GET", "/deployments").headers["etag"]
    begin = time.monotonic()
    assert one.ask("GET", "/deployments?wait_s=20", If_None_Match=tag).status == 304
    assert time.monotonic() - begin < 5
    one.close()


def test_one_deployment(steered):
    answer = steered.ask("GET", f"/deployments/{LIVE.id}")
    assert answer.json == LIVE.as_json()
    assert steered.ask("GET", f"/deployments/{LIVE.id}", If_None_Match=answer.headers["etag"]).status == 304
    missing = steered.ask("GET", "/deployments/0193a5f0")
    assert (missing.status, missing.error) == (404, "No such deployment is known here.")


def test_an_old_deployment_comes_from_the_delivery_process(steered):
    older = deployment(9, state=State.SUCCESS)
    steered.handler.ways.append(older)  # and the document in the gateway does not have it
    assert steered.ask("GET", f"/deployments/{older.id}").json == older.as_json()
    assert steered.handler.asked[-1].verb is Verb.SHOW


def test_asking_for_a_release_creates_a_deployment_once(steered):
    wish = {"model": "surface", "tag": "stable", "force": True}
    first = steered.ask("POST", "/deployments", wish, Idempotency_Key="k-1")
    assert first.status == 202
    assert first.headers["location"] == f"/deployments/{first.json['id']}"
    assert steered.handler.asked[-1] == Request(
        Verb.CREATE, "surface", {"tag": "stable", "force": True}, who="local", source="rest 127.0.0.1", key="k-1"
    )
    again = steered.ask("POST", "/deployments", wish, Idempotency_Key="k-1")
    assert (again.status, again.json["id"]) == (200, first.json["id"])
    assert steered.ask("POST", "/deployments", wish | {"tag": "beta"}, Idempotency_Key="k-1").status == 409
    until(lambda: steered.ask("GET", first.headers["location"]).status == 200, "its place", 10)


@pytest.mark.parametrize(
    ("method", "path", "body", "verb", "model", "passed", "status"),
    [
        ("POST", f"/deployments/{LIVE.id}/cancel", None, Verb.CANCEL, "surface", {"id": LIVE.id}, 200),
        ("POST", f"/deployments/{LIVE.id}/approve", {}, Verb.APPROVE, "surface", {"id": LIVE.id}, 200),
        ("POST", f"/deployments/{LIVE.id}/rollback", None, Verb.ROLLBACK, "surface", {"id": LIVE.id}, 202),
        ("POST", f"/deployments/{LIVE.id}/pause", None, Verb.PAUSE, "surface", {}, 200),
        ("POST", f"/deployments/{LIVE.id}/resume", None, Verb.RESUME, "surface", {}, 200),
        ("POST", "/models/surface/rollback", None, Verb.ROLLBACK, "surface", {}, 202),
        ("POST", "/models/seal/pause", None, Verb.PAUSE, "seal", {}, 200),
        ("POST", "/models/seal/resume", None, Verb.RESUME, "seal", {}, 200),
        ("POST", "/models/seal/look", None, Verb.LOOK, "seal", {}, 202),
        ("POST", "/deployments/look", None, Verb.LOOK, None, {}, 202),
        ("PUT", "/models/surface/pin", {"release": 6}, Verb.PIN, "surface", {"release": 6}, 200),
        ("PUT", "/models/surface/pin", None, Verb.PIN, "surface", {}, 200),
        ("DELETE", "/models/surface/pin", None, Verb.UNPIN, "surface", {}, 200),
    ],
)
def test_each_change_has_its_path(steered, method, path, body, verb, model, passed, status):
    assert steered.ask(method, path, body).status == status
    asked = steered.handler.asked[-1]
    assert (asked.verb, asked.model, asked.body) == (verb, model, passed)


def test_the_audit_log_can_be_read(steered):
    answer = steered.ask("GET", "/deployments/audit?limit=5")
    assert answer.json["entries"][0]["who"] == "anna"
    assert steered.handler.asked[-1].body == {"limit": 5}
    assert steered.ask("GET", "/deployments/audit?limit=0").status == 422
    assert steered.ask("GET", "/deployments/audit?limit=x").status == 422


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/deployments", {"tag": "x"}, 422, "create needs the name of a model"),
        ("POST", "/deployments", {"model": "nobody"}, 404, "No model 'nobody' is delivered"),
        ("POST", "/deployments", {"model": "surface", "url": "oci://evil/x"}, 422, "no field 'url'"),
        ("POST", "/deployments", {"model": "surface", "tag": "http://evil/"}, 422, "never an address"),
        ("POST", "/deployments", {"model": "surface", "by_wish": True}, 422, "by_wish is for"),
        ("POST", "/deployments", [1], 422, "a JSON object"),
        ("POST", "/deployments", b"{", 400, "no JSON"),
        ("POST", "/deployments", b"[" * 10_000, 400, "no JSON"),
        ("POST", "/deployments", b'"' + b"x" * 20_000 + b'"', 413, "more than 16384 bytes"),
        ("POST", f"/deployments/{OVER.id}/cancel", None, 409, "over already: success"),
        ("POST", "/deployments/0193a5f0/cancel", None, 404, "No such deployment"),
        ("POST", f"/deployments/{LIVE.id}/explode", None, 404, "There is no 'explode' here; there are cancel, approve"),
        ("POST", "/models/surface/cancle", None, 404, "there are rollback, pause"),
        ("POST", "/healthz", None, 405, "Only GET and HEAD are answered here"),
        ("PATCH", "/models/surface/pin", None, 405, "Only DELETE, POST, PUT are answered here, not PATCH"),
        ("OPTIONS", "/deployments", None, 405, "Only GET and HEAD"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(steered, method, path, body, status, says):
    answer = steered.ask(method, path, body)
    assert (answer.status, says in answer.error) == (status, True), answer.error
    assert "\n" not in answer.error


def test_a_change_of_what_has_changed_since_is_refused(steered):
    path = f"/deployments/{LIVE.id}"
    old = steered.ask("GET", path).headers["etag"]
    steered.changed(bytes_done=5, bytes_total=9)
    until(lambda: steered.ask("GET", path).headers["etag"] != old, "the change", 10)
    refused = steered.ask("POST", f"{path}/approve", If_Match=old)
    assert (refused.status, "has changed since you looked" in refused.error) == (412, True)
    assert steered.handler.asked == []
    assert steered.ask("POST", f"{path}/approve", If_Match=steered.ask("GET", path).headers["etag"]).status == 200


def test_a_change_of_a_model_is_held_against_the_whole_document(steered):
    tag = steered.ask("GET", "/deployments").headers["etag"]
    assert steered.ask("POST", "/models/seal/pause", If_Match='"another"').status == 412
    assert steered.ask("POST", "/models/seal/pause", If_Match=tag).status == 200
    assert steered.ask("POST", "/models/seal/resume", If_Match="*").status == 200


def test_without_the_delivery_process_reading_and_steering_say_so_and_when_to_come_again(tmp_path):
    one = Steered(tmp_path)
    for method, path in (("GET", "/deployments"), ("GET", "/deployments/1"), ("POST", "/models/surface/pause")):
        answer = one.ask(method, path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert answer.error.startswith("The delivery process is away")
    one.close()


def test_a_box_without_delivered_models_says_what_to_set(tmp_path):
    one = Steered(tmp_path, delivered=False)
    answer = one.ask("GET", "/deployments")
    assert (answer.status, "[models.NAME.delivery]" in answer.error) == (404, True)
    assert one.ask("POST", "/deployments", {"model": "surface"}).status == 404
    one.close()


def test_a_web_page_of_another_host_can_change_nothing(steered):
    for headers, status in (
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Host": "evil.example"}, 403),  # a name that its owner turned towards us
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ):
        answer = steered.ask("POST", "/models/surface/pause", {}, **headers)
        assert (answer.status, bool(answer.error)) == (status, True), headers
    assert steered.handler.asked == []


def test_our_own_page_and_names_may(steered):
    own = f"127.0.0.1:{steered.http.port}"
    for headers in (
        {"Origin": f"http://{own}"},
        {"Host": "localhost:8080", "Origin": "http://localhost:8080"},
        {"Host": "Box1.plant"},
        {"Host": socket.gethostname()},
        {"Host": "[::1]:8080"},
    ):
        assert steered.ask("POST", "/models/surface/pause", {}, **headers).status == 200, headers


def test_from_another_host_reading_is_free_and_changes_need_a_token(far):
    assert far.ask("GET", "/deployments").status == 200
    refused = far.ask("POST", "/models/surface/pause")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "need a token" in refused.error
    for wrong in (f"Bearer {TOKEN}x", "Bearer", f"Basic {TOKEN}", "Bearer anna", f"Bearer {TOKEN[:-1]}"):
        assert far.ask("POST", "/models/surface/pause", Authorization=wrong).status == 401, wrong
    assert far.handler.asked == []
    assert far.ask("POST", "/models/surface/pause", Authorization=f"Bearer {TOKEN}").status == 200
    assert far.ask("POST", "/models/surface/pause", Authorization=f"bearer {TOKEN}-of-ci").status == 200
    assert [one.who for one in far.handler.asked] == ["anna", "ci-server"]


def test_without_a_tokens_file_nobody_steers_from_another_host(tmp_path, monkeypatch):
    monkeypatch.setattr(access_module, "_is_loopback", lambda _address: False)
    one = Steered(tmp_path).start_delivery()
    refused = one.ask("POST", "/models/surface/pause")
    assert (refused.status, "set http.tokens_file" in refused.error) == (403, True)
    assert one.ask("POST", "/models/surface/pause", Authorization=f"Bearer {TOKEN}").status == 401
    one.close()


def test_tokens_are_read_again_when_they_change(far, tokens):
    assert far.ask("POST", "/models/surface/pause", Authorization=f"Bearer {TOKEN}").status == 200
    tokens.write_text(f"bert {TOKEN[::-1]}\n")
    assert far.ask("POST", "/models/surface/pause", Authorization=f"Bearer {TOKEN}").status == 401
    assert far.ask("POST", "/models/surface/pause", Authorization=f"Bearer {TOKEN[::-1]}").status == 200
    assert far.handler.asked[-1].who == "bert"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: file.chmod(0o644), "its mode is 0644; chmod 0640"),
        (lambda file: file.chmod(0o620), "its mode is 0620"),
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.write_text("anna short\n"), "line 1 is not a name, a space, and a token"),
        (lambda file: file.write_text("x" * 70_000), "more than 65536 bytes"),
    ],
)
def test_a_tokens_file_that_cannot_be_trusted_lets_nobody_in(far, tokens, spoil, says):
    spoil(tokens)
    answer = far.ask("POST", "/models/surface/pause", Authorization=f"Bearer {TOKEN}")
    assert (answer.status, says in answer.error) == (503, True), answer.error
    assert far.handler.asked == []


def test_a_wrong_token_is_refused_from_this_box_too(tmp_path, tokens):
    one = Steered(tmp_path, tokens=tokens).start_delivery()
    assert one.ask("POST", "/models/surface/pause", Authorization="Bearer wrong").status == 401
    assert one.ask("POST", "/models/surface/pause", From="anna@line3").status == 200
    assert one.ask("POST", "/models/surface/pause", From="no good\tname").status == 200
    assert [asked.who for asked in one.handler.asked] == ["local (anna@line3)", "local"]
    one.close()


def test_only_this_boxs_own_addresses_are_loopback():
    assert [access_module._is_loopback(one) for one in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")] == [
        True
    ] * 4
    assert not any(access_module._is_loopback(one) for one in ("10.0.0.1", "::ffff:10.0.0.1", "", None, "localhost"))


def test_the_end_of_the_gateway_does_not_wait_for_those_who_wait(steered):
    tag = steered.ask("GET", "/deployments").headers["etag"]
    waiting = threading.Thread(
        target=steered.ask, args=("GET", "/deployments?wait_s=30"), kwargs={"If_None_Match": tag}
    )
    waiting.start()
    until(lambda: steered.newest._changed._waiters, "the poll", 10)
    begin = time.monotonic()
    steered.newest.close()
    waiting.join(10)
    assert time.monotonic() - begin < 5
