"""Cameras that cannot be opened, as the line sees them: which error, which sentence, how soon."""

import socket
import time
from contextlib import ExitStack

import pytest

from camera import CameraConfigError, CameraNotFound

OPEN_S = 0.5
WHY_S = 2.0
BUSY_S = 4.0
"""What a busy computer may add, and the child's process to start."""
SCHEMES = pytest.mark.parametrize("scheme", ["rtsp", pytest.param("http", marks=pytest.mark.slow)])


@pytest.fixture
def refused(make_supervised):
    """refused(url, ...): the error at open(), and after how many seconds."""

    def one(url, **settings):
        camera = make_supervised(url, open_timeout_s=OPEN_S, **settings)
        began = time.monotonic()
        with pytest.raises((CameraNotFound, CameraConfigError)) as error:
            camera.open()
        return error.value, time.monotonic() - began

    return one


@SCHEMES
def test_nobody_listens(scheme, refused):
    error, took_s = refused(f"{scheme}://127.0.0.1:9/stream")
    assert isinstance(error, CameraNotFound)
    assert "does not answer: Connection refused" in str(error)
    assert took_s < BUSY_S


@SCHEMES
def test_the_camera_has_no_such_path(scheme, refused, serve):
    error, took_s = refused(serve(scheme).url.replace("stream", "nothing"))
    assert isinstance(error, CameraNotFound)
    assert "not to this path (404)" in str(error)
    assert took_s < BUSY_S


@SCHEMES
def test_somebody_listens_and_says_nothing(scheme, refused):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        error, took_s = refused(f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/stream")
    assert isinstance(error, CameraNotFound)
    assert "can be connected to, but gives no answer" in str(error)
    assert OPEN_S <= took_s < OPEN_S + WHY_S + BUSY_S


@pytest.mark.slow
@SCHEMES
def test_packets_to_the_camera_get_lost(scheme, refused):
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # its queue is full: whatever else knocks is not heard, as at an address that nobody has
            knocking = sockets.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(full.getsockname())
        error, took_s = refused(f"{scheme}://127.0.0.1:{full.getsockname()[1]}/stream")
    assert isinstance(error, CameraNotFound)
    assert "nothing answers at" in str(error)
    assert OPEN_S <= took_s < OPEN_S + WHY_S + BUSY_S


@SCHEMES
def test_the_name_of_the_camera_is_not_known(scheme, refused):
    error, _ = refused(f"{scheme}://no-such-camera.invalid/stream")
    assert isinstance(error, CameraNotFound)
    assert "is not known" in str(error)


@SCHEMES
def test_the_camera_asks_for_a_login(scheme, refused, serve):
    error, took_s = refused(serve(scheme, "--login", "user:secret").url)
    assert isinstance(error, CameraConfigError), "trying again and again would lock the account"
    assert "set username and password_file" in str(error)
    assert took_s < BUSY_S


def test_something_else_answers(refused, serve):
    port = serve("http").port
    error, _ = refused(f"rtsp://127.0.0.1:{port}/stream")
    assert isinstance(error, CameraNotFound)
    assert "instead of pictures" in str(error)


def test_no_such_device(refused):
    error, took_s = refused("/dev/video63")
    assert isinstance(error, CameraNotFound)
    assert "there is no /dev/video63" in str(error)
    assert took_s < BUSY_S


def test_a_device_that_is_no_camera(refused):
    error, _ = refused("/dev/null")
    assert isinstance(error, CameraConfigError)
    assert "not a video device" in str(error)
