"""`appliance camera preview`: the page, its pictures and figures, in a real browser."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
from browser import PROGRAM, Browser
from commissioning_camera import SMALL
from running import REPOSITORY, until

COMMAND = [sys.executable, "-m", "appliance.cli", "camera", "preview", "--port", "0"]


@pytest.fixture
def preview():
    """`preview(*arguments)` starts it and gives the page's address; it is ended as Ctrl-C ends it."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, text=True, bufsize=1, cwd=REPOSITORY
        )
        started.append(process)
        lines = (line for line in process.stdout if "http://" in line)
        return next(lines).split()[4]

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.headers, answer.read()


def picture(url, query=""):
    _, headers, body = until(
        lambda: (answer := get(f"{url}picture?{query}"))[0] == 200 and answer, "a picture that is newer"
    )
    return json.loads(headers["X-State"]), cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)


def test_pictures_are_the_newest_cut_and_made_smaller_as_asked(preview, config_file):
    url = preview("--config", config_file(), "--rate", "20")
    about = json.loads(get(f"{url}about")[2])
    assert about["regions"] == {"roi": [20, 30, 100, 80]}
    state, whole = picture(url)
    assert whole.shape[:2] == (200, 320)
    assert (state["width"], state["height"], state["lost"], state["problem"]) == (320, 200, 0, "")
    later, _ = picture(url, f"after={state['number']}")
    assert later["number"] > state["number"]
    _, piece = picture(url, "view=20,30,100,80&width=50")
    assert piece.shape[:2] == (40, 50)
    _, corner = picture(url, "view=300,190,500,500")
    assert corner.shape[:2] == (10, 20)
    state, marked = picture(url, "part=20,30,100,80&clipped=1")
    assert state["part"] == [20, 30, 100, 80]
    assert sum(state["histogram"]) == 100 * 80
    assert marked.ndim == 3
    until(lambda: json.loads(get(f"{url}state")[2])["rate_hz"] > 5, "pictures to come")


def test_a_request_that_cannot_be_is_refused_in_a_sentence(preview):
    url = preview(*SMALL)
    for query in ("view=1,2,3", "view=a,b,c,d", "after=x", "width=999999"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(f"{url}picture?{query}")
        assert refused.value.code == 400
        assert query.partition("=")[0] in json.loads(refused.value.read())["error"]


def test_a_camera_that_goes_is_told_and_comes_back_by_itself(preview):
    gone = "misbehave.gone={at_exposures=[8], gone_s=1.5}"
    url = preview(*SMALL, "--set", "trigger=timed", "--set", "takt_s=0.05", "--set", gone)
    until(lambda: json.loads(get(f"{url}state")[2])["problem"], "the loss to be told", 20)
    until(lambda: json.loads(get(f"{url}state")[2])["reopened"] == 1, "the camera to be opened again", 20)
    before = json.loads(get(f"{url}state")[2])["number"]
    until(lambda: json.loads(get(f"{url}state")[2])["number"] > before, "pictures again", 20)
    assert json.loads(get(f"{url}state")[2])["problem"] == ""


def test_a_port_that_is_taken_is_told_with_what_to_do(camera):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, err = camera("preview", *SMALL, "--port", port)
    assert code == 1
    assert f"Another program has port {port}" in err
    assert "--port" in err
    code, _, err = camera("preview", *SMALL, "--host", "line3-box1")
    assert code == 1
    assert "is not an IP address" in err


@pytest.mark.skipif(PROGRAM is None, reason="not verified: the preview's page in a browser; chromium is not installed")
def test_a_person_drags_a_region_and_gets_its_line(preview, config_file, tmp_path):
    url = preview("--config", config_file())
    browser = Browser(tmp_path / "browser")
    try:
        browser.go(url)
        browser.until("document.body.dataset.number > 2")
        assert browser.ask("document.getElementById('name').textContent") == "top"
        assert browser.ask("document.getElementById('of').textContent") == "in the recipe's region"
        place = json.loads(browser.ask("JSON.stringify(document.getElementById('stage').getBoundingClientRect())"))
        scale = place["width"] / 320
        start = (place["x"] + 50.5 * scale, place["y"] + 40.5 * scale)
        browser.drag(start, (start[0] + 119 * scale, start[1] + 79 * scale))
        browser.until("region && !dragged")
        assert browser.ask("document.getElementById('roi').textContent") == "roi = [50, 40, 120, 80]"
        browser.until("document.getElementById('of').textContent == 'in the region drawn'")
        browser.press("+")
        browser.until("document.getElementById('picture').width == 256")
        browser.press("Escape")
        assert "[x, y" in browser.ask("document.getElementById('roi').textContent")
        until(lambda: browser.ask("document.getElementById('state').textContent") == "live", "the page to be live")
    finally:
        browser.close()
