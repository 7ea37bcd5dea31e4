"""Cameras without a sensor: a simulated line, stored pictures."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from camera.config.common import Closed, ExposureNumber, Frames, Seconds, Share, TaktSeconds


class ShutterConfig(Closed):
    """When the exposures of a camera without a sensor are made."""

    trigger: Literal["software", "timed"] = Field(
        default="software",
        description='"software": one exposure per trigger; "timed": by itself, one every takt_s',
    )
    takt_s: TaktSeconds = Field(
        default=0.5, description="seconds from one part to the next; used where trigger is timed"
    )
    exposure_s: Seconds = Field(default=0.0005, description="seconds that the shutter stays open")
    latency_s: Seconds = Field(
        default=0.004,
        description="seconds from trigger to frame (exposure and readout); a trigger within them is too early",
    )
    drop_overtriggers: bool = Field(
        default=False,
        description="true: a trigger that comes too early is dropped without a word, as real cameras do; "
        "false: it raises TriggerNotReady",
    )
    frames: Frames = Field(
        default="every",
        description='where trigger is timed: "every" frame is a part, or the "newest" whenever one can be judged',
    )
    buffers_frames: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="frames that wait to be read before new ones are lost"
    )

    @model_validator(mode="after")
    def _readout_fits_the_takt(self) -> "ShutterConfig":
        if self.exposure_s > self.latency_s:
            raise ValueError(f"exposure_s = {self.exposure_s} must not be longer than latency_s = {self.latency_s}")
        if self.trigger == "timed" and self.latency_s > self.takt_s:
            raise ValueError(f"latency_s = {self.latency_s} must not be longer than takt_s = {self.takt_s}")
        if self.trigger == "software" and self.frames == "newest":
            raise ValueError("frames = 'newest' goes with trigger = 'timed': a software trigger asks for one frame")
        return self

    @property
    def triggers_itself(self) -> bool:
        """Frames come without trigger()."""
        return self.trigger == "timed"

    @property
    def takes_newest(self) -> bool:
        """Frames that nobody took in time are passed over."""
        return self.frames == "newest"

    @property
    def lost_after_s(self) -> float | None:
        """No frame for so long: it is lost. None: it says so itself."""
        return None


class FaultConfig(Closed):
    """How often a simulated fault happens."""

    rate: Share = Field(default=0.0, description="share of the exposures that it hits, 0 to 1, drawn from the seed")
    at_exposures: tuple[ExposureNumber, ...] = Field(
        default=(), description="numbers of exposures that it hits, counted from 0 since the camera was made"
    )


class LateConfig(FaultConfig):
    """Frames that come, and too late."""

    late_s: Seconds = Field(default=0.2, description="seconds that a late frame is late")


class FrozenConfig(FaultConfig):
    """A camera that shows one picture over and over."""

    rate: Annotated[float, Field(ge=0.0, le=0.9)] = Field(
        default=0.0, description="share of the exposures that are frozen, 0 to 0.9, drawn from the seed"
    )
    for_exposures: Annotated[int, Field(ge=1)] = Field(
        default=10, description="number of exposures that repeat the picture before"
    )


class GoneConfig(FaultConfig):
    """A camera whose cable is pulled."""

    gone_s: Seconds = Field(default=3.0, description="seconds that it cannot be opened again")


class MisbehaviourConfig(Closed):
    """What the virtual camera does wrong, on request."""

    late: LateConfig = Field(default=LateConfig(), description="frames that come too late")
    lost: FaultConfig = Field(default=FaultConfig(), description="exposures of which no frame ever comes")
    incomplete: FaultConfig = Field(default=FaultConfig(), description="frames whose lower part is missing")
    frozen: FrozenConfig = Field(default=FrozenConfig(), description="the same picture over and over")
    gone: GoneConfig = Field(default=GoneConfig(), description="the camera disappears at this exposure")


class VirtualConfig(ShutterConfig):
    """A simulated camera above a simulated conveyor belt."""

    driver: Literal["virtual"] = "virtual"
    width_px: Annotated[int, Field(ge=96, le=8192)] = Field(default=1920, description="picture width in pixels")
    height_px: Annotated[int, Field(ge=60, le=8192)] = Field(default=1200, description="picture height in pixels")
    pixel_format: Literal["Mono8", "BGR8"] = Field(default="Mono8", description='"Mono8" (grey) or "BGR8" (colour)')
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="the same seed gives the same parts and the same faults"
    )
    defect_rate: Share = Field(default=0.2, description="share of the parts that are bad, 0 to 1")
    misbehave: MisbehaviourConfig = Field(
        default=MisbehaviourConfig(), description="faults of the camera itself, each with a rate or a list"
    )


class FolderConfig(ShutterConfig):
    """Stored pictures, shown in the order of their names."""

    driver: Literal["folder"] = "folder"
    folder: Path = Field(description="folder with PNG, JPEG, BMP, WebP or TIFF files; subfolders are shown as well")
    repeat: bool = Field(default=True, description="true: begin again after the last picture; false: end there")
    latency_s: Seconds = Field(
        default=0.0,
        description="seconds from trigger to frame; a trigger within them is too early",
    )
    exposure_s: Seconds = Field(default=0.0, description="seconds that the shutter is said to stay open")
    pixel_format: Literal["Mono8", "BGR8"] | None = Field(
        default=None, description='"Mono8" or "BGR8"; left out: grey files give Mono8, all others BGR8'
    )
    significant_bits: Literal[10, 12, 14, 16] = Field(
        default=16,
        description="bits in use in files with 16 bits per channel; the upper 8 of them are kept",
    )
    file_max_bytes: Annotated[int, Field(ge=1, le=2**30)] = Field(
        default=64 * 2**20, description="bytes of the largest file that is read; larger ones give a corrupt frame"
    )
    picture_max_px: Annotated[int, Field(ge=1, le=2**28)] = Field(
        default=50_000_000, description="pixels of the largest picture that is decoded"
    )
    files_max: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=100_000, description="number of files that the folder may hold"
    )
