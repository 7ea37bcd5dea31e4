"""The driver's process: makes the calls that it is asked for, and ends when nobody asks any more.

python -m camera.supervised REQUESTS CLOSING     (numbers of two open sockets; started by SupervisedCamera)
"""

import os
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any, Final

import cv2

from camera.errors import CameraError
from camera.opening import make_camera
from camera.protocol import Camera
from camera.supervised import memory
from camera.supervised.slots import new_memory, put
from camera.supervised.wire import (
    RAISED,
    Request,
    frame_to_json,
    info_to_json,
    receive_request,
    send_answer,
    send_error,
)

_LET_GO_S: Final = 1.0
"""What a driver may take to let go of its camera when its parent is gone."""
_LOOK_AFTER_READS: Final = 16


class Driver:
    """One camera and the memory of its pictures. serve() is the camera's one thread."""

    def __init__(self, requests: socket.socket, camera: Camera) -> None:
        self._requests = requests
        self._camera = camera
        self._memory: Any = None
        self._slot_bytes = 0
        self._memory_max = memory.limit_bytes()
        self._reads = 0

    def serve(self) -> None:
        """Until the other side closes its end; ends the process where its memory grows without end."""
        while (request := receive_request(self._requests)) is not None:
            self._serve(request)

    def _serve(self, request: Request) -> None:
        try:
            self._answer(request)
        except RAISED as error:
            send_error(self._requests, request.number, error)
            return
        if request.call == "read":
            with suppress(CameraError):  # the next call says so
                self._camera.idle()
            self._reads += 1
            if self._reads % _LOOK_AFTER_READS == 0 and memory.own_bytes() > self._memory_max:
                os._exit(memory.EXIT_CODE)  # not the way that frees: who leaks may hang there

    def _answer(self, request: Request) -> None:
        camera = self._camera
        value: Any = None
        match request.call:
            case "open":
                self._memory, self._slot_bytes = None, 0
                camera.open()
                value = [info_to_json(camera.info), camera.triggers_itself]
            case "read":
                self._read(request)
                return
            case "start":
                camera.start()
            case "trigger":
                camera.trigger()
            case "counters":
                value = dict(camera.counters())
            case "stop":
                camera.stop()
            case unknown:
                raise RuntimeError(f"no call {unknown}")
        send_answer(self._requests, request.number, value)

    def _read(self, request: Request) -> None:
        frame = self._camera.read(request.timeout_s)
        if frame.pixels is None:
            send_answer(self._requests, request.number, frame_to_json(frame, None, None))
        elif request.slot is not None and frame.pixels.nbytes <= self._slot_bytes:
            put(self._memory, request.slot, self._slot_bytes, frame.pixels)
            send_answer(self._requests, request.number, frame_to_json(frame, request.slot, None))
        else:
            self._slot_bytes = frame.pixels.nbytes
            fd, self._memory = new_memory(self._slot_bytes)
            put(self._memory, 0, self._slot_bytes, frame.pixels)
            send_answer(self._requests, request.number, frame_to_json(frame, 0, self._slot_bytes), (fd,))
            os.close(fd)


def _close_when_told(closing: socket.socket, camera: Camera) -> None:
    """The second thread: lets go of the camera also while a read waits; ends the process with its parent."""
    while closing.recv(1):
        camera.close()
        closing.send(b".")
    # The first thread may hang in the driver, and so may close(); a camera that was let go of is free at once.
    threading.Timer(_LET_GO_S, os._exit, (0,)).start()
    try:
        camera.close()
    finally:
        os._exit(0)


def main() -> None:
    """See the module. A crash ends the process at once: a library's threads may hang where an interpreter tidies up."""
    try:
        _run()
    except BaseException:  # noqa: BLE001  # the boundary: whatever it is ends this process, and its parent starts another
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _run() -> None:
    memory.end_this_one_first()
    cv2.setNumThreads(1)
    requests, closing = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    first = receive_request(requests)
    if first is None:
        return
    camera = make_camera(first.settings or {})
    send_answer(requests, first.number, None)
    threading.Thread(target=_close_when_told, args=(closing, camera), name="closing", daemon=True).start()
    Driver(requests, camera).serve()
    camera.close()


if __name__ == "__main__":
    main()
