"""`appliance deploy`: lint, sign, push, and a box that is followed to its end."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from appliance.publishing import following
from appliance.publishing.errors import PublishError
from appliance.publishing.following import Box, Follower
from appliance.publishing.progress import Silent
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.states import State
from appliance.registry.errors import Unavailable
from appliance.registry.package.keys import read_public_key
from appliance.registry.package.statement import read_statement

TOKEN = "a-token-of-this-box"


class FakeBox:
    """A box' REST port: each look finds the next of `story`: a state, or an HTTP status that is no 200."""

    def __init__(self) -> None:
        self.story: list = [State.SUCCESS]
        self.asked: list[dict] = []
        self.keys: list[str | None] = []
        self.token: str | None = None
        self.refuses: tuple[int, str] | None = None
        box = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if box.token and self.headers.get("Authorization") != f"Bearer {box.token}":
                    self.answer(401, {"error": "Show a token."})
                elif box.refuses:
                    self.answer(box.refuses[0], {"error": box.refuses[1]})
                else:
                    box.asked.append(body)
                    box.keys.append(self.headers.get("Idempotency-Key"))
                    self.answer(202, box.deployment(State.PENDING))

            def do_GET(self):
                now = box.story.pop(0) if len(box.story) > 1 else box.story[0]
                if isinstance(now, int):
                    self.answer(now, {"error": "not now"})
                else:
                    self.answer(200, box.deployment(now))

            def answer(self, status, value):
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def deployment(self, state: State) -> dict:
        asked = self.asked[-1] if self.asked else {}
        made = Deployment("0193-1", asked.get("model", "surface"), "x", "y", "me", "t", "t", state)
        detail = "It rejected 3 of 40 good parts." if state in {State.FAILED, State.ROLLED_BACK} else None
        return {**made.as_json(), "detail": detail, "release": asked.get("release"), "bytes_total": 9_000_000}

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def box(monkeypatch):
    monkeypatch.setattr(following, "_LOOK_S", 0.01)
    box = FakeBox()
    yield box
    box.stop()


def test_without_a_box_it_is_linted_signed_as_the_next_release_and_pushed(package, keys, registry, appliance):
    where = f"oci+http://{registry.host}/deploy/one:stable"
    for release in (1, 2):
        said = appliance("deploy", package, where, "--key", keys / "plant.key", "--line", "acme/**")
        assert said.code == 0, said.err
        assert f"surface version 7, release {release}" in said.out
        assert f'source = "{where}"' in said.out
    statement, _ = read_statement((package / "release.json").read_bytes(), [read_public_key(keys / "plant.pub")])
    assert (statement.release, statement.lines) == (2, ("acme/**",))
    (package / "assets.extra/inspection.json").unlink()
    said = appliance("deploy", package, where, "--key", keys / "plant.key")
    assert said.code == 1
    assert "boxes cannot know what the model sees" in said.err


def test_a_box_is_asked_for_exactly_this_release_and_followed_to_its_end(package, keys, appliance, tmp_path, box):
    box.story = [State.DOWNLOADING, State.DOWNLOADING, 503, State.ACCEPTING, State.PROBATION, State.SUCCESS]
    box.token = TOKEN
    (tmp_path / "token").write_text(f"anna {TOKEN}\n")
    deploy = ["deploy", package, tmp_path / "share", "--key", keys / "plant.key", "--box", box.url]
    said = appliance(*deploy, "--token-file", tmp_path / "token")
    assert said.code == 0, said.err
    assert box.asked == [{"model": "surface", "release": 1}]
    assert box.keys[0], "asked twice by accident it is done once"
    shown = [line for line in said.err.splitlines() if line.startswith("box: ")]
    assert shown == ["box: downloading 0 B of 9.0 MB", "box: accepting", "box: probation", "box: success"]
    assert said.out.splitlines()[-1] == "surface release 1: success"
    said = appliance(*deploy)
    assert said.code == 1
    assert "wants to know who asks: name a token of this box with --token-file" in said.sentence


@pytest.mark.parametrize("end", [State.FAILED, State.ROLLED_BACK])
def test_a_release_that_disappoints_ends_in_1_with_its_reason(package, keys, appliance, tmp_path, box, end):
    box.story = [State.ACCEPTING, end]
    said = appliance("deploy", package, tmp_path / "share", "--key", keys / "plant.key", "--box", box.url)
    assert said.code == 1
    assert said.out.splitlines()[-1] == f"surface release 1: {end.value}: It rejected 3 of 40 good parts."


def test_a_box_that_says_no_or_is_no_box(package, keys, appliance, tmp_path, box):
    deploy = ["deploy", package, tmp_path / "share", "--key", keys / "plant.key", "--box"]
    box.refuses = (404, "No model is called surface here.")
    assert appliance(*deploy, box.url).sentence.endswith("No model is called surface here.")
    assert "is no box' address" in appliance(*deploy, "line3-box1:8080").sentence
    said = appliance(*deploy, box.url, "--token-file", tmp_path / "none")
    assert "cannot be read" in said.sentence


def test_a_box_that_is_away_for_too_long_is_given_up_and_a_slow_one_is_left(box):
    class Clock:
        now = 0.0

        def pause(self, seconds):
            self.now += seconds * 1000

    clock = Clock()
    follower = Follower(Box(box.url), Silent(), pause=clock.pause, now=lambda: clock.now)
    box.story = [State.SHADOWING]
    with pytest.raises(PublishError, match="still shadowing after 60 s, and goes on by itself"):
        follower.follow("0193-1", 60)
    box.story = [State.SHADOWING, 503]
    with pytest.raises(Unavailable):
        follower.follow("0193-1", 1e9)
    follower.close()
