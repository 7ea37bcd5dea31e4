"""Cameras that stream: RTSP, MJPEG over HTTP, V4L2, and whatever GStreamer can read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from camera.config.common import Pixels, SensorConfig

_NETWORK = ("rtsp://", "rtsps://", "http://", "https://")


class OpencvConfig(SensorConfig):
    """Network and USB cameras by OpenCV."""

    driver: Literal["opencv"] = "opencv"
    url: str = Field(
        min_length=1,
        max_length=2048,
        description="rtsp://HOST/PATH, http://HOST/PATH (MJPEG), or a device such as /dev/video0; no password in it",
    )
    username: str | None = Field(default=None, max_length=128, description="for the camera's login")
    password_file: Path | None = Field(
        default=None, description="file with the password, or the name of a systemd credential"
    )
    trigger: Literal["software", "free"] = Field(
        default="software",
        description='"software": a trigger takes the first frame exposed after it; "free": the frames as they come',
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="how RTSP carries the pictures")
    pixel_format: Literal["Mono8", "BGR8"] = Field(default="BGR8", description="what frames are given as")
    device_format: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ]{4}$")] | None = Field(
        default=None, description='V4L2 only: what the device is asked for (FOURCC), such as "YUYV", "GREY" or "MJPG"'
    )
    width_px: Pixels | None = Field(default=None, description="picture width that must come; V4L2: is asked for")
    height_px: Pixels | None = Field(default=None, description="picture height that must come; V4L2: is asked for")
    open_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=5.0,
        description="seconds until a camera that does not answer, or gives no picture, counts as not there; longer "
        "than from one key frame of the stream to the next",
    )
    read_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=1.5, description="seconds without a frame after which the camera is lost and opened again"
    )
    latency_s: Annotated[float, Field(ge=0.0, le=10)] | None = Field(
        default=None,
        description="seconds that the camera and the network need from exposure to picture, at best: by it is known "
        "which picture was exposed after a trigger; default: a guess (RTSP: one frame and 0.05, MJPEG: 0.02, V4L2: 0)",
    )
    stale_after_s: Annotated[float, Field(ge=0.02, le=60)] = Field(
        default=0.5,
        description="a picture that comes so many seconds later than usual is stale and never judged; longer than from "
        "one frame to the next",
    )

    @model_validator(mode="after")
    def _is_something_that_streams(self) -> "OpencvConfig":
        if not self.url.startswith((*_NETWORK, "/dev/")):
            raise ValueError(f"url {self.url!r} begins with none of {', '.join(_NETWORK)}, /dev/")
        if "@" in self.url.partition("://")[2].partition("/")[0]:
            raise ValueError("url has a login in it, which would stand in every log; use username and password_file")
        if self.device_format is not None and not self.url.startswith("/dev/"):
            raise ValueError("device_format is for V4L2 devices (/dev/video...)")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        return self


class GstreamerConfig(SensorConfig):
    """Whatever a GStreamer pipeline gives, by a child process: CSI cameras of a Jetson, capture cards."""

    driver: Literal["gstreamer"] = "gstreamer"
    source: str = Field(
        min_length=1,
        max_length=4096,
        description='the beginning of a pipeline as for gst-launch-1.0: "nvarguscamerasrc ! nvvidconv", "videotestsrc"',
    )
    trigger: Literal["software", "free"] = Field(
        default="software",
        description='"software": a trigger takes the first frame exposed after it; "free": the frames as they come',
    )
    pixel_format: Literal["Mono8", "BGR8"] = Field(default="BGR8", description="what frames are given as")
    width_px: Pixels = Field(description="picture width in pixels")
    height_px: Pixels = Field(description="picture height in pixels")
    frame_rate_hz: Annotated[float, Field(gt=0, le=1000)] = Field(default=30.0, description="frames a second")
    read_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=3.0, description="seconds without a frame after which the pipeline is started again"
    )
    latency_ms: Annotated[float, Field(ge=0, le=5000)] = Field(
        default=0.0,
        description="what the quickest picture needs from the lens to this program, as measured with a clock before "
        "the lens: so much earlier it was taken",
    )
