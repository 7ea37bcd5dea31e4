"""What the operator's file says of cameras and of parts that several of them see."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from appliance.inspection.gpio_pin import EyeSettings
from camera.config import CameraConfig


class GateConfig(BaseModel, extra="forbid", frozen=True):
    """Where the reject gate is: from it follows how long a verdict may take, whatever the recipe allows."""

    distance_mm: float = Field(gt=0, le=1e6, description="from where the part is when it is exposed to the gate")
    speed_mm_s: float = Field(gt=0, le=1e6, description="of the belt, at its fastest")
    actuator_ms: float = Field(default=0.0, ge=0, le=60_000, description="what the gate needs to move")

    @model_validator(mode="after")
    def _leaves_time(self) -> "GateConfig":
        if self.deadline_ms <= 0:
            travel_ms = self.distance_mm / self.speed_mm_s * 1e3
            raise ValueError(
                f"the part is at the gate after {travel_ms:.1f} ms, and the gate needs {self.actuator_ms:g} ms to "
                "move: nothing is left for a verdict"
            )
        return self

    @property
    def deadline_ms(self) -> float:
        """From the exposure to the moment the gate has to know."""
        return round(self.distance_mm / self.speed_mm_s * 1e3 - self.actuator_ms, 3)


class GpioConfig(BaseModel, extra="forbid", frozen=True):
    """A photo-eye on one of the box's own pins."""

    chip: str = Field(
        default="/dev/gpiochip0",
        min_length=1,
        description="the GPIO chip: its path, name or label (gpiodetect lists them); the label stays the same when a "
        "chip is plugged in again",
    )
    line: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)] = Field(
        description="number or name of the pin (gpioinfo lists them)"
    )
    edge: Literal["rising", "falling"] = Field(default="rising", description="which edge means that a part is there")
    bias: Literal["as-is", "disabled", "pull-up", "pull-down"] = Field(
        default="as-is", description="resistor of the pin; a chip without one ignores this silently"
    )
    debounce_ms: float = Field(
        default=0.0, ge=0, le=1000, description="a level has to stay so long; closer edges are one"
    )
    debounce_by: Literal["box", "kernel"] = Field(
        default="box",
        description="box: by this program, which keeps each edge's exact moment; kernel: by the chip, or the kernel, "
        "which spares the processor where a wire is full of noise, and is late by up to two of its timer's ticks",
    )
    delay_ms: float = Field(
        default=0.0, ge=0, le=10_000, description="from the edge to the exposure: the way from the eye to the camera"
    )
    late_ms: float = Field(
        default=20.0,
        gt=0,
        le=10_000,
        description="an exposure that would be later than this shows another part: it is not made, and the part fails",
    )

    def settings(self, *, exposes: bool = True) -> EyeSettings:
        """As the inspection takes them. `exposes`: by this box, and not by a wire, which is never late."""
        return EyeSettings(
            chip=self.chip,
            line=self.line,
            edge=self.edge,
            bias=self.bias,
            debounce_s=self.debounce_ms / 1e3,
            delay_s=self.delay_ms / 1e3,
            debounce_by=self.debounce_by,
            late_s=self.late_ms / 1e3 if exposes else None,
        )


class TriggerConfig(BaseModel, extra="forbid", frozen=True):
    """Who says that a part is there."""

    takt_ms: float | None = Field(default=None, ge=1, le=3_600_000, description="from part to part, milliseconds")
    gpio: GpioConfig | None = Field(default=None, description="the photo-eye, for trigger = 'gpio'")
    gate: GateConfig | None = Field(default=None, description="where the reject gate is; the deadline follows from it")


class LineConfig(TriggerConfig):
    """One camera, what triggers it, and the recipe of what passes it."""

    recipe: str = Field(description="name of a recipe under [recipes]; a changeover puts another in its place")
    recipes: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="what it may be changed over to; default: every recipe"
    )
    trigger: Literal["timer", "camera", "command", "gpio", "part"] = Field(
        default="timer",
        description="timer: this box triggers every takt_ms; camera: the camera is triggered itself; command: by REST, "
        "MQTT or `appliance trigger`; gpio: by a pin of this box; part: with the other cameras of a table of [parts]",
    )
    window_ms: float = Field(
        default=50.0,
        ge=0.1,
        le=60_000,
        description="where a wire triggers camera and box: a picture is of a trigger at most so long before",
    )
    detect_frozen: bool | None = Field(
        default=None, description="fail parts whose picture equals the one before; default: yes, unless from a folder"
    )
    camera: CameraConfig = Field(description="driver and settings of the camera")

    @model_validator(mode="after")
    def _is_triggered_by_one(self) -> "LineConfig":
        check_trigger(self.trigger, self)
        free = self.camera.trigger in ("timed", "free")
        if (self.trigger == "camera") != free and self.camera.trigger != "hardware":
            raise ValueError(
                "trigger = 'camera' goes with a camera that triggers itself (camera.trigger = 'timed', 'free' or "
                f"'hardware'), and trigger = '{self.trigger if self.trigger != 'camera' else 'timer'}' with one that "
                "this box triggers (camera.trigger = 'software')"
            )
        if self.is_observed and self.trigger in ("timer", "command"):
            raise ValueError(
                f"trigger = '{self.trigger}' cannot be with camera.trigger = 'hardware': nothing of this box "
                "reaches the camera's wire; use trigger = 'camera', or 'gpio' where the wire goes to this box as well"
            )
        if self.is_observed and self.gpio is not None and self.gpio.delay_ms:
            raise ValueError(
                "gpio.delay_ms cannot be with camera.trigger = 'hardware', because the wire exposes: set the camera's "
                "own TriggerDelay"
            )
        return self

    @property
    def is_observed(self) -> bool:
        """A wire triggers the camera, and this box is told of each trigger, too."""
        return self.trigger != "camera" and self.camera.trigger == "hardware"


class PartsConfig(TriggerConfig):
    """A part that several cameras see, or that one sees several times: it gets one combined result."""

    cameras: tuple[str, ...] = Field(min_length=1, max_length=16, description="names of cameras with trigger = 'part'")
    trigger: Literal["timer", "command", "gpio"] = Field(default="timer", description="who says that a part is there")
    frames: int = Field(default=1, ge=1, le=16, description="exposures by each camera for each part")
    interval_ms: float = Field(default=0.0, ge=0, le=10_000, description="from one exposure to the next, milliseconds")
    ok_min: int | None = Field(
        default=None, ge=1, description="views that have to be OK for the part to pass; default: all of them"
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> "PartsConfig":
        check_trigger(self.trigger, self)
        views = len(self.cameras) * self.frames
        if views < 2:
            raise ValueError("one camera and one exposure make no combined result: add cameras, or set frames")
        if self.ok_min is not None and self.ok_min > views:
            raise ValueError(f"ok_min is {self.ok_min}, and there are {views} views")
        if self.frames > 1 and not self.interval_ms:
            raise ValueError(
                "frames is above 1, so interval_ms has to say how many milliseconds apart they are exposed"
            )
        if len(set(self.cameras)) < len(self.cameras):
            raise ValueError("a camera stands twice in cameras; frames says how often each exposes")
        return self


def check_trigger(trigger: str, config: TriggerConfig) -> None:
    """Raises: ValueError where what the trigger needs is missing."""
    if trigger == "timer" and config.takt_ms is None:
        raise ValueError("trigger is 'timer', so takt_ms has to say how many milliseconds apart the parts come")
    if (trigger == "gpio") != (config.gpio is not None):
        raise ValueError("trigger = 'gpio' and the table gpio go together: it says which pin")
