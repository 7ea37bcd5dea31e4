"""The whole appliance behind real drivers: cables that are pulled, servers that stall, drivers that die.

A GigE Vision simulator and an RTSP server are the cameras; results are read from MQTT, as anybody else would.
"""

import os
import shutil
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from gige_simulator import gige_cameras
from running import Appliance, Mosquitto, Subscriber, until
from streams import RtspServer, missing_for_rtsp

SMALL = "[recipes.part.input]\nroi = [0, 0, 256, 128]\n"
VIRTUAL_BESIDE = """
[cameras.side]
recipe = "beside"
takt_ms = 100
camera = { driver = "virtual", seed = 6, width_px = 640, height_px = 400 }
[recipes.beside]
model = "surface"
deadline_ms = 400
input = { roi = [0, 0, 640, 400] }
"""
GIGE = """driver = "aravis"
device = "{address}"
settings = [["PixelFormat", "{pixel_format}"], ["Width", 256], ["Height", 128]]
"""


@contextmanager
def station(folder, prepared, **changes):
    """A broker, a subscriber and the appliance, in the network of whoever calls."""
    broker = Mosquitto(folder / "broker").start()
    heard = Subscriber(broker.port)
    line = Appliance(folder, broker.port, **changes)
    shutil.copytree(prepared, folder / "state" / "prepared", dirs_exist_ok=True)
    try:
        yield line.start(), heard
    finally:
        line.end()
        heard.close()
        broker.stop()


def of(heard, camera):
    return [one for one in heard.results if one["camera"] == camera]


def gapless(results):
    return [one["trigger_id"] for one in results] == list(range(len(results)))


def drivers(line):
    """Process ids of the line's drivers, by the camera's settings; a new one where one was replaced."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"camera.supervised" in words and parent == line.process.pid:
                found.append(int(folder.name))
    return sorted(found)


def next_ones(heard, camera, count, what, timeout_s=60):
    seen = len(of(heard, camera))
    return until(lambda: len(of(heard, camera)) >= seen + count and of(heard, camera)[seen:], what, timeout_s)


def test_a_pulled_cable_fails_every_part_until_it_is_back_and_touches_no_other_camera(tmp_path, prepared):
    with gige_cameras() as (simulator,):
        camera = GIGE.format(address=simulator.address, pixel_format="Mono8")
        changes = {"line": "takt_ms = 200", "recipe": "deadline_ms = 150\n" + SMALL, "extra": VIRTUAL_BESIDE}
        with station(tmp_path, prepared, camera=camera, **changes) as (line, heard):
            until(lambda: [one for one in of(heard, "top") if one["model"]], "a judged picture", 120)
            simulator.kill()
            until(lambda: of(heard, "top")[-1]["reason"] == "CAMERA_LOST", "the loss")
            until(heard.codes, "health to say so")
            beside = next_ones(heard, "side", 5, "the other camera's parts")
            assert any(one["model"] for one in beside), beside
            simulator.start()
            back_s = time.monotonic()
            until(lambda: of(heard, "top")[-1]["model"], "a judged picture again", 20)
            back_s = time.monotonic() - back_s
            print(f"back after {back_s:.2f} s")
            assert back_s < 5
            assert gapless(of(heard, "top"))
            assert gapless(of(heard, "side"))
            assert {one["verdict"] for one in of(heard, "top") if not one["model"]} == {"fail"}
            assert line.stop() == 0


def test_a_pixel_format_that_the_camera_does_not_have_is_told_in_a_sentence(tmp_path, prepared):
    with gige_cameras() as (simulator,):
        camera = GIGE.format(address=simulator.address, pixel_format="RGB8Packed")
        with station(tmp_path, prepared, camera=camera, recipe="deadline_ms = 150\n" + SMALL) as (line, heard):
            until(lambda: of(heard, "top"), "a result", 120)
            assert {one["verdict"] for one in of(heard, "top")} == {"fail"}
            until(lambda: "PixelFormat" in line.log(), "the sentence in the log")
            until(
                lambda: any("Mono8" in one["message"] for one in heard.health().get("reasons", [])),
                "health to say what there is",
            )
            assert line.stop() == 0


@pytest.mark.slow
def test_two_boxes_that_fight_for_one_camera_are_told_so_and_the_first_goes_on(tmp_path, prepared):
    with gige_cameras() as (simulator,):
        camera = GIGE.format(address=simulator.address, pixel_format="Mono8")
        changes = {"line": "takt_ms = 300", "recipe": "deadline_ms = 250\n" + SMALL, "camera": camera}
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        with station(tmp_path / "one", prepared, **changes) as (_first, heard_one):
            until(lambda: [one for one in of(heard_one, "top") if one["model"]], "the first box's pictures", 120)
            with station(tmp_path / "two", prepared, **changes) as (second, heard_two):
                until(lambda: of(heard_two, "top"), "the second box's results", 120)
                until(lambda: "another program controls camera" in second.log(), "the reason")
                assert not any(one["model"] for one in of(heard_two, "top"))
                going_on = next_ones(heard_one, "top", 5, "the first box's parts")
                assert sum(bool(one["model"]) for one in going_on) >= 4


def test_a_driver_that_hangs_costs_its_own_parts_and_no_others(tmp_path, prepared):
    with gige_cameras() as (simulator,):
        camera = GIGE.format(address=simulator.address, pixel_format="Mono8")
        changes = {"line": "takt_ms = 200", "recipe": "deadline_ms = 150\n" + SMALL, "extra": VIRTUAL_BESIDE}
        with station(tmp_path, prepared, camera=camera, **changes) as (line, heard):
            until(lambda: [one for one in of(heard, "top") if one["model"]], "a judged picture", 120)
            until(lambda: len(drivers(line)) == 2, "two drivers")
            hung = _driver_of(line, simulator.address)
            os.kill(hung, signal.SIGSTOP)
            until(lambda: hung not in drivers(line), "the hung driver to be ended")
            until(lambda: of(heard, "top")[-1]["model"], "a judged picture again", 30)
            assert gapless(of(heard, "top"))
            assert gapless(of(heard, "side"))
            assert all(one["deadline_met"] for one in of(heard, "side")[-20:])
            assert line.stop() == 0


@pytest.mark.slow
def test_a_driver_that_is_killed_a_hundred_times_leaves_nothing_behind(tmp_path, prepared):
    """Every trigger has its result, in order; memory files, descriptors and threads are as many as at the beginning."""
    changes = {
        "camera": 'driver = "virtual"\nseed = 5\nwidth_px = 640\nheight_px = 400',
        "line": "takt_ms = 50",
        "recipe": "deadline_ms = 45\ninput = { roi = [0, 0, 640, 400] }",
    }
    with station(tmp_path, prepared, **changes) as (line, heard):
        until(lambda: len(of(heard, "top")) > 20 and drivers(line), "parts", 120)

        def held():
            fds = [str(one.readlink()) for one in Path(f"/proc/{line.process.pid}/fd").iterdir()]
            threads = len(list(Path(f"/proc/{line.process.pid}/task").iterdir()))
            return Counter("memfd" if "memfd" in one else one.split(":")[0] for one in fds), threads

        before, threads = held()
        for _ in range(100):
            (victim,) = until(lambda: drivers(line), "the driver")
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: drivers(line) and drivers(line) != [victim], "another driver")
            until(lambda: of(heard, "top")[-1]["model"], "a judged picture again", 30)
        after, threads_after = held()
        assert after == before
        assert threads_after == threads
        assert gapless(of(heard, "top"))
        assert line.stop() == 0


def _driver_of(line, address):
    """The driver that holds a socket to this camera: the one whose process was not there for the virtual camera."""
    for pid in drivers(line):
        libraries = Path(f"/proc/{pid}/maps").read_text()
        if "libaravis" in libraries:
            return pid
    raise AssertionError(f"no driver of {address}")


@pytest.mark.skipif(bool(missing_for_rtsp()), reason=missing_for_rtsp() or "RTSP can be tried")
@pytest.mark.parametrize("away_s", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_an_rtsp_server_that_was_away_never_makes_an_old_picture_pass(tmp_path, prepared, away_s):
    """Each picture carries the time at which it was taken; the box says how old it was when it was judged."""
    server = RtspServer("--fps", "15").start()
    camera = f'driver = "opencv"\nurl = "{server.url}"\ntrigger = "free"\nframe_rate_hz = 15\npixel_format = "Mono8"'
    recipe = "deadline_ms = 400\n[recipes.part.input]\nroi = [0, 0, 480, 480]\n[recipes.part.quality]\nmax_age_ms = 300"
    try:
        with station(
            tmp_path, prepared, camera=camera, line='trigger = "camera"\ndetect_frozen = false', recipe=recipe
        ) as (
            line,
            heard,
        ):
            until(lambda: [one for one in of(heard, "top") if one["model"]], "a judged picture", 120)
            for stop, go in ((server.stall, server.resume), (server.kill, server.start)):
                stop()
                threading.Event().wait(away_s)
                go()
                seen = len(of(heard, "top"))
                until(lambda seen=seen: any(one["model"] for one in of(heard, "top")[seen:]), "pictures again", 30)
            judged = [one for one in of(heard, "top") if one["model"]]
            assert max(one["processing_times"]["frame_age_ms"] for one in judged) < 700
            assert line.stop() == 0
    finally:
        server.end()
