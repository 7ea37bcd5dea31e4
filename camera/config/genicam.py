"""Cameras that describe themselves by GenICam: GigE Vision and USB3 Vision."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from camera.config.common import SensorConfig

FeatureValue = bool | int | float | str
Feature = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


class GenicamConfig(SensorConfig):
    """What is the same for every library that speaks GenICam."""

    device: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="which camera: its id as `appliance camera discover` prints it, its serial number, its user "
        "defined name, or its address; default: the only one there is",
    )
    settings: tuple[tuple[Feature, FeatureValue], ...] = Field(
        default=(),
        max_length=1000,
        description="names and values of the camera's features (SFNC), applied in this order and read back: "
        '[["PixelFormat", "Mono8"], ["ExposureTime", 500.0]]; ["TriggerSoftware", true] runs a command',
    )
    trigger_source: str = Field(
        default="Line1", description='the camera\'s input, for trigger = "hardware" (SFNC TriggerSource)'
    )
    trigger_activation: Literal["RisingEdge", "FallingEdge", "AnyEdge", "LevelHigh", "LevelLow"] = Field(
        default="RisingEdge", description="which edge exposes (SFNC TriggerActivation)"
    )
    counter: Literal["none", "chunk", "register"] = Field(
        default="none",
        description="how the camera tells how many pulses its input has had, so that a pulse without a picture is "
        'found: "chunk" with each picture (ChunkCounterValue), "register" read after each (CounterValue), "none"',
    )
    buffers_frames: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=16, description="pictures that the library may hold before new ones are lost"
    )

    @model_validator(mode="after")
    def _counter_counts_pulses(self) -> "GenicamConfig":
        if self.counter != "none" and self.trigger != "hardware":
            raise ValueError(f"counter = {self.counter!r} counts a wire's pulses: it goes with trigger = 'hardware'")
        return self


class AravisConfig(GenicamConfig):
    """GigE Vision and USB3 Vision cameras of every maker, by Debian's libaravis."""

    driver: Literal["aravis"] = "aravis"
    packet_size: Annotated[int, Field(ge=576, le=16_384)] | None = Field(
        default=None,
        description="bytes of a GigE packet; default: the largest that the network carries unbroken, where the camera "
        "can try that, else 1500",
    )
    socket_buffer_mb: Annotated[float, Field(ge=0.1, le=1024)] = Field(
        default=16.0, description="megabytes of the socket's buffer; net.core.rmem_max must allow it"
    )
    packet_socket: bool = Field(
        default=False, description="true: take packets below IP, which needs CAP_NET_RAW and spares the processor"
    )
    retention_ms: Annotated[float, Field(ge=1, le=10_000)] = Field(
        default=100.0, description="a picture whose packets do not come for so long is given up as incomplete"
    )


class PylonConfig(GenicamConfig):
    """Basler cameras by Basler's own pylon (pip install 'inspection-appliance[pylon]')."""

    driver: Literal["pylon"] = "pylon"
