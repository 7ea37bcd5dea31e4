"""What the settings of all cameras have in common."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator


class Closed(BaseModel, extra="forbid", frozen=True):
    """A section without room for typing mistakes."""


Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=3600.0, allow_inf_nan=False)]
TaktSeconds = Annotated[float, Field(ge=0.001, le=3600.0, allow_inf_nan=False)]
ExposureNumber = Annotated[int, Field(ge=0)]
Pixels = Annotated[int, Field(ge=1, le=65_535)]

Frames = Literal["every", "newest"]
"""every: each frame is a part, in order; newest: who reads gets the newest one, and the others are passed over."""


class SensorConfig(Closed):
    """What every real camera has: who exposes, and what becomes of frames that come faster than they are judged."""

    trigger: Literal["software", "free", "hardware"] = Field(
        default="software",
        description='"software": this box exposes; "free": the camera runs by itself; '
        '"hardware": a wire to the camera exposes (photo-eye, encoder)',
    )
    frames: Frames | None = Field(
        default=None,
        description='"every": each frame is a part; "newest": frames that come while one is judged are passed over; '
        "default: newest where the camera runs free, else every",
    )
    frame_rate_hz: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        default=None,
        description="frames a second that a free-running camera is known to give; it is lost when three in a row fail",
    )

    @model_validator(mode="after")
    def _newest_of_many(self) -> "SensorConfig":
        if self.frames == "newest" and self.trigger == "software":
            raise ValueError('frames = "newest" passes frames over: it goes with trigger = "free" or "hardware"')
        return self

    @property
    def triggers_itself(self) -> bool:
        """Frames come without trigger()."""
        return self.trigger != "software"

    @property
    def takes_newest(self) -> bool:
        """Frames that nobody took in time are passed over."""
        return (self.frames or ("newest" if self.trigger == "free" else "every")) == "newest"

    @property
    def lost_after_s(self) -> float | None:
        """No frame for so long from a free-running camera: it is lost. None: it may be idle."""
        if self.trigger != "free":
            return None
        return max(1.0, 3.0 / self.frame_rate_hz) if self.frame_rate_hz else 5.0
