"""RTSP and MJPEG cameras that work: which picture is given, how old it is, and what is said about it."""

import itertools
import threading
import time
from pathlib import Path

import pytest
from running import until
from streams import age_s, burned_in

from camera import CameraConfigError, CameraLost, CameraTimeout, FrameStatus, PixelFormat, TriggerNotReady

PERIOD_S = 0.04
SCHEMES = pytest.mark.parametrize("scheme", ["rtsp", "http"])
RTSP = pytest.mark.parametrize("scheme", ["rtsp", pytest.param("http", marks=pytest.mark.slow)])
HTTP = pytest.mark.parametrize("scheme", [pytest.param("rtsp", marks=pytest.mark.slow), "http"])


def started(camera):
    camera.open()
    camera.start()
    return camera


def read_all(camera):
    """Until it raises, 8 seconds at most."""
    for _ in range(200):
        burned_in(camera.read(3).pixels)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@RTSP
def test_a_software_trigger_is_answered_by_a_picture_exposed_after_it(scheme, serve, make):
    camera = started(make(serve(scheme).url))
    for number in range(8):
        threading.Event().wait(0.013 * (number % 4))  # anywhere between two pictures
        triggered_ns = time.monotonic_ns()
        camera.trigger()
        frame = camera.read(3)
        _, captured_ns = burned_in(frame.pixels)
        assert captured_ns >= triggered_ns
        assert frame.exposed_ns >= triggered_ns
        assert frame.exposed_ns <= frame.received_ns
        assert (frame.sequence, frame.trigger_sequence) == (number, number)
        assert frame.status is FrameStatus.OK


@pytest.mark.slow
def test_the_answer_waits_for_a_slow_reader_and_stays_the_first_after_the_trigger(serve, make):
    camera = started(make(serve("rtsp").url))
    triggered_ns = time.monotonic_ns()
    camera.trigger()
    threading.Event().wait(0.6)
    frame = camera.read(1)
    _, captured_ns = burned_in(frame.pixels)
    assert 0 <= captured_ns - triggered_ns < 0.35e9
    assert time.monotonic_ns() - frame.exposed_ns > 0.2e9, "it does not look newer than it is"


def test_a_trigger_before_the_picture_of_the_one_before_is_told(serve, make):
    camera = started(make(serve("http", "--fps", "4").url))
    camera.trigger()
    with pytest.raises(TriggerNotReady, match="has not come yet"):
        camera.trigger()
    assert camera.read(3).trigger_sequence == 0
    camera.trigger()
    assert camera.read(3).trigger_sequence == 1


@RTSP
def test_a_free_running_camera_gives_the_newest_picture_to_a_slow_reader(scheme, serve, make):
    camera = started(make(serve(scheme).url, trigger="free"))
    frames, counters, ages = [], [], []
    for _ in range(6):
        frames.append(camera.read(3))
        ages.append(age_s(frames[-1].pixels))
        counters.append(burned_in(frames[-1].pixels)[0])
        threading.Event().wait(0.4)  # ten times slower than the camera
    assert sorted(ages)[len(ages) // 2] < 0.11 + 2 * PERIOD_S, "and not 0.4 s older with each picture"
    for (earlier, later), (first, second) in zip(itertools.pairwise(frames), itertools.pairwise(counters), strict=True):
        assert later.sequence - earlier.sequence == second - first, "each exposure has a number"
        assert later.skipped_before == second - first - 1, "and none was lost, only passed over"
    assert camera.counters()["passed_over"] > 12


@HTTP
def test_every_picture_is_given_in_order_and_those_without_room_are_seen_to_be_lost(scheme, serve, make):
    camera = started(make(serve(scheme).url, trigger="free", frames="every"))
    frames = [camera.read(3) for _ in range(10)]
    assert [frame.sequence for frame in frames] == list(range(10))
    assert [frame.skipped_before for frame in frames] == [0] * 10
    until(lambda: camera.counters()["passed_over"] >= 5, "the room for 8 pictures to be full", 5)
    late = [camera.read(3) for _ in range(3)]
    assert late[0].sequence > 10 + 4, "a jump: lost, and not passed over"
    assert late[0].skipped_before == 0
    seen = burned_in(late[0].pixels)[0] - burned_in(frames[0].pixels)[0]
    assert late[0].sequence == seen


def test_the_senders_clock_tells_how_old_a_picture_is(serve, make):
    camera = started(make(serve("rtsp").url, trigger="free", latency_s=0.0))
    for _ in range(20):
        frame = camera.read(3)
        late_ns = frame.exposed_ns - burned_in(frame.pixels)[1]
        assert -0.1e9 < late_ns < 0.15e9
        assert frame.device_clock in ("free", "rtcp")
        assert frame.device_time_ns is not None


@pytest.mark.slow
def test_who_comes_long_before_the_next_key_frame_waits_for_it(serve, make):
    server = serve("rtsp", "--gop", "90")
    first, second = make(server.url), make(server.url, trigger="free")
    first.open()
    threading.Event().wait(0.5)
    began = time.monotonic()
    started(second)
    assert time.monotonic() - began > 1.6, "longer than read_timeout_s, or this shows nothing"
    assert age_s(second.read(3).pixels) < 0.7


@pytest.mark.slow
def test_a_camera_with_sound_is_asked_for_its_pictures_only(serve, make):
    camera = started(make(serve("rtsp", "--audio").url, trigger="free"))
    frames = [camera.read(3) for _ in range(30)]
    assert all(age_s(frame.pixels) < 5 for frame in frames)
    assert camera.counters()["stale"] == 0


@HTTP
def test_grey_pictures_are_grey_and_read_only(scheme, serve, make):
    camera = started(make(serve(scheme).url, trigger="free", pixel_format="Mono8"))
    frame = camera.read(3)
    assert frame.pixel_format is PixelFormat.MONO8
    assert frame.pixels.shape == (480, 640)
    assert burned_in(frame.pixels)
    assert not frame.pixels.flags.writeable


@pytest.mark.slow
def test_people_are_told_what_such_a_camera_cannot_do(serve, make):
    rtsp, http = (make(serve(scheme).url) for scheme in ("rtsp", "http"))
    rtsp.open()
    http.open()
    assert any("fine defects" in note for note in rtsp.info.notes)
    assert any("latency_s is not set" in note for note in rtsp.info.notes)
    assert any("no time of exposure" in note for note in http.info.notes)
    assert ("size", "640 x 480") in rtsp.info.settings


@HTTP
def test_another_size_than_the_settings_say_is_refused(scheme, serve, make):
    camera = make(serve(scheme).url, width_px=1280, height_px=720)
    with pytest.raises(CameraConfigError, match="gives pictures of 640 x 480 pixels, and the settings say 1280 x 720"):
        camera.open()


@SCHEMES
def test_a_stream_that_changes_its_size_is_lost_and_refused_and_no_torn_picture_is_given(scheme, serve, make):
    server = serve(scheme, "--gop", "50")
    camera = started(make(server.url, trigger="free", width_px=640, height_px=480))
    camera.read(3)
    server.halve_the_size()
    with pytest.raises(CameraLost, match="the size of its pictures from 640 x 480"):
        read_all(camera)  # each can be read: OpenCV itself would go on with half a picture, and say nothing
    camera.close()
    with pytest.raises(CameraConfigError, match="gives pictures of 320 x 240 pixels, and the settings say 640 x 480"):
        camera.open()


@pytest.mark.slow
def test_an_edge_that_never_changes_costs_one_connection(serve, make):
    camera = started(make(serve("rtsp", "--still").url, trigger="free"))
    with pytest.raises(CameraLost, match="may have changed the size"):
        read_all(camera)
    started(camera)
    assert [camera.read(3).status for _ in range(60)] == [FrameStatus.OK] * 60


@HTTP
def test_nothing_is_given_where_nothing_was_asked_for(scheme, serve, make):
    camera = started(make(serve(scheme).url))
    began = time.monotonic()
    with pytest.raises(CameraTimeout):
        camera.read(0.2)
    assert 0.2 <= time.monotonic() - began < 1.0
    with pytest.raises(RuntimeError):
        camera.start()


def test_pictures_from_before_stop_are_dropped(serve, make):
    camera = started(make(serve("http").url))
    camera.trigger()
    threading.Event().wait(0.2)
    camera.stop()
    camera.start()
    with pytest.raises(CameraTimeout):
        camera.read(0.1)
    camera.trigger()
    assert camera.read(3).trigger_sequence == 0


@HTTP
def test_close_from_another_thread_ends_a_read_that_waits(scheme, serve, make):
    camera = started(make(serve(scheme).url))
    closing = threading.Timer(0.2, camera.close)
    closing.start()
    with pytest.raises(CameraLost, match="closed"):
        camera.read(30)
    closing.join()
    with pytest.raises(CameraLost):
        camera.trigger()


@HTTP
def test_opening_and_closing_leaves_nothing_behind(scheme, serve, make):
    camera = make(serve(scheme).url, trigger="free")

    def once():
        started(camera).read(3)
        camera.close()

    once()
    threads, files = threading.active_count(), open_files()
    epochs = []
    for _ in range(5):
        once()
    until(lambda: threading.active_count() <= threads, "the threads to end", 5)
    assert open_files() <= files
    camera.open()
    camera.start()
    epochs.append(camera.read(3).epoch)
    assert epochs == [7]


@HTTP
def test_a_login_is_taken_from_a_file_or_a_credential_and_stands_nowhere(
    scheme, serve, make_supervised, tmp_path, monkeypatch, capfd
):
    password = "s3cret@:/%1"
    (tmp_path / "camera-password").write_text(password + "\n")
    server = serve(scheme, "--login", f"user:{password}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    said = []
    camera = make_supervised(server.url, username="user", password_file="camera-password", trigger="free")
    frame = started(camera).read(3)
    said += [repr(camera.info), repr(frame), str(camera.counters())]
    server.kill()
    with pytest.raises(CameraLost) as lost:
        read_all(camera)
    said.append(repr(lost.value))
    server.start()
    wrong = tmp_path / "wrong"
    wrong.write_text("no" + password)
    with pytest.raises(CameraConfigError, match="refuses this username and password") as refused:
        make_supervised(server.url, username="user", password_file=str(wrong)).open()
    said += [repr(refused.value), *capfd.readouterr()]
    assert not any("s3cret" in one for one in said)


def test_a_password_that_is_not_there_is_a_sentence(make, tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for file in ("camera", str(tmp_path / "camera")):
        with pytest.raises(CameraConfigError, match=r"password cannot be read from .*camera: No such file"):
            make("rtsp://127.0.0.1/x", username="user", password_file=file).open()
    (tmp_path / "camera").write_bytes(b"")
    with pytest.raises(CameraConfigError, match="is no password"):
        make("rtsp://127.0.0.1/x", username="user", password_file=str(Path("camera"))).open()
