"""An RTSP server whose every picture says when it was taken: python3 rtsp_server.py PORT [--width 640] ...

Runs under Debian's python3 (python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good and -ugly), not ours.
H.264 at rtsp://127.0.0.1:PORT/stream. Each picture carries the CLOCK_MONOTONIC of its capture and its number as black
and white blocks (see tests/streams.py, which starts this and reads them). Prints "ready" when it listens.
SIGSTOP stalls it, SIGKILL is a pulled cable, SIGUSR1 changes the size of the pictures in the middle of the stream.
"""

import argparse
import signal
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

BLOCK = 16


def blocks(counter: int, captured_ns: int) -> list[bool]:
    """80 bits: 48 of microseconds, 24 of the number, 8 of a check sum over both."""
    value = (captured_ns // 1000 % (1 << 48)) << 24 | counter % (1 << 24)
    value = value << 8 | sum(value.to_bytes(9, "big")) % 256
    return [bool(value >> bit & 1) for bit in range(79, -1, -1)]


def picture(width: int, height: int, counter: int, captured_ns: int, *, still: bool) -> bytes:
    """I420: the blocks, and below them grey."""
    per_row = width // BLOCK
    bits = blocks(counter, captured_ns)
    luma = bytearray()
    for begin in range(0, len(bits), per_row):
        row = b"".join((b"\xeb" if bit else b"\x10") * BLOCK for bit in bits[begin : begin + per_row])
        luma += row.ljust(width, b"\x80") * BLOCK
    luma += bytes([0x60 if still else 0x60 + counter % 32]) * (width * height - len(luma))
    return bytes(luma) + b"\x80" * (width * height // 2)


class Source:
    """Pushes pictures at their time, as a sensor would."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.size = (options.width, options.height)

    def halve(self, *_: object) -> None:
        """Another size from the next picture on."""
        self.size = (self.options.width // 2, self.options.height // 2)

    def configure(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        source = media.get_element().get_by_name_recurse_up("source")
        threading.Thread(target=self.push, args=(source,), daemon=True).start()

    def push(self, source: Gst.Element) -> None:
        counter, sent_size, due = 0, None, time.monotonic()
        while True:
            due = max(due + 1 / self.options.fps, time.monotonic() - 1 / self.options.fps)
            time.sleep(max(0.0, due - time.monotonic()))
            width, height = self.size
            if sent_size != self.size:
                sent_size = self.size
                caps = f"video/x-raw,format=I420,width={width},height={height},framerate={self.options.fps}/1"
                source.set_property("caps", Gst.Caps.from_string(caps))
            buffer = Gst.Buffer.new_wrapped(
                picture(width, height, counter, time.monotonic_ns(), still=self.options.still)
            )
            if source.emit("push-buffer", buffer) is not Gst.FlowReturn.OK:
                return
            counter += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--gop", type=int, default=0, help="frames from one key frame to the next")
    parser.add_argument("--still", action="store_true", help="the same below the blocks, byte by byte")
    parser.add_argument("--audio", action="store_true", help="a second stream, with sound")
    parser.add_argument("--login", default="", help="NAME:PASSWORD")
    options = parser.parse_args()
    Gst.init(None)
    source = Source(options)
    signal.signal(signal.SIGUSR1, source.halve)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( appsrc name=source is-live=true do-timestamp=true format=time ! x264enc tune=zerolatency "
        f"speed-preset=ultrafast key-int-max={options.gop or options.fps} bitrate=4000 threads=1 "
        "! rtph264pay name=pay0 pt=96 config-interval=1 "
        + ("audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8 )" if options.audio else ")")
    )
    factory.set_shared(True)
    factory.connect("media-configure", source.configure)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    if options.login:
        demand_login(server, factory, *options.login.split(":", 1))
    server.get_mount_points().add_factory("/stream", factory)
    if not server.attach(None):
        raise SystemExit(f"port {options.port} is taken")
    print("ready", flush=True)
    GLib.timeout_add(200, lambda: True)  # so that Python sees its signals
    GLib.MainLoop().run()


def demand_login(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, name: str, password: str
) -> None:
    """Basic authentication, and 401 without it."""
    auth, token = GstRtspServer.RTSPAuth.new(), GstRtspServer.RTSPToken.new()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions.new()
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main()
