"""MJPEG over HTTP whose every picture says when it was taken: python mjpeg_server.py PORT [--width 640] ...

http://127.0.0.1:PORT/stream, as IP cameras give it (multipart/x-mixed-replace); anything else is 404. The pictures are
those of rtsp_server.py. Prints "ready" when it listens. SIGSTOP stalls it, SIGUSR1 changes the size of the pictures.
"""

import argparse
import base64
import signal
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

BLOCK = 16


def picture(width: int, height: int, counter: int, captured_ns: int) -> np.ndarray:
    """80 blocks as in rtsp_server.py: 48 bits of microseconds, 24 of the number, 8 of a check sum."""
    value = (captured_ns // 1000 % (1 << 48)) << 24 | counter % (1 << 24)
    value = value << 8 | sum(value.to_bytes(9, "big")) % 256
    pixels = np.full((height, width), 0x60 + counter % 32, np.uint8)
    for place in range(80):
        row, column = divmod(place, width // BLOCK)
        shade = 0xEB if value >> (79 - place) & 1 else 0x10
        pixels[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = shade
    return pixels


class Sensor:
    """Takes pictures at their time; every client gets the newest one. Whole bytes of a part of the answer."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.size = (options.width, options.height)
        self.changed = threading.Condition()
        self.part = b""
        self.counter = 0

    def halve(self, *_: object) -> None:
        self.size = (self.options.width // 2, self.options.height // 2)

    def run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 1 / self.options.fps, time.monotonic() - 1 / self.options.fps)
            time.sleep(max(0.0, due - time.monotonic()))
            _, jpeg = cv2.imencode(".jpg", picture(*self.size, self.counter, time.monotonic_ns()))
            length = f"Content-Length: {len(jpeg)}\r\n" if self.options.lengths else ""
            with self.changed:
                self.part = f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + jpeg.tobytes() + b"\r\n"
                self.counter += 1
                self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    sensor: Sensor
    login = ""

    def do_GET(self) -> None:
        if self.path != "/stream":
            self.send_error(404)
        elif self.login and self.headers.get("Authorization") != self.login:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(OSError):
                self.stream()

    def stream(self) -> None:
        sent = 0
        while True:
            with self.sensor.changed:
                while self.sensor.counter == sent:
                    self.sensor.changed.wait()
                sent, part = self.sensor.counter, self.sensor.part
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--gop", type=int, help="for the other server")
    parser.add_argument("--login", default="", help="NAME:PASSWORD")
    parser.add_argument("--no-lengths", dest="lengths", action="store_false", help="no Content-Length, as some cameras")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    Handler.sensor = Sensor(options)
    if options.login:
        Handler.login = "Basic " + base64.b64encode(options.login.encode()).decode()
    signal.signal(signal.SIGUSR1, Handler.sensor.halve)
    threading.Thread(target=Handler.sensor.run, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
