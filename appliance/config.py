"""The operator's file: one TOML file, closed and frozen; every part composes its own section."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from appliance.api.config import HttpConfig
from appliance.api.serving_config import ServingConfig
from appliance.config_errors import sentences
from appliance.errors import ConfigError
from appliance.inspection import RecipeConfig
from appliance.line_config import GateConfig, LineConfig, PartsConfig
from appliance.messages.catalogue import CATALOGUE
from appliance.messages.config import HomeAssistantConfig
from appliance.messages.topic import Root
from appliance.mqtt.config import MqttConfig
from appliance.outbox.config import OutboxConfig
from appliance.registry.config import DeliveryConfig, ModelDeliveryConfig
from appliance.sparkplug.config import SparkplugConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_MAX_BYTES: Final = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TOPICS: Final = frozenset(one.pattern.partition("/")[0] for one in CATALOGUE if one.root is Root.BASE)
"""What the box's own topics begin with, below the base topic; a camera stands at the same place."""


class StationConfig(BaseModel, extra="forbid", frozen=True):
    """The box itself."""

    name: str = Field(description="name of this box in results and health, e.g. line3-box1")
    state_folder: Path = Field(
        default=Path("/var/lib/appliance"), description="where results, prepared models and identity are kept"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="how much is logged")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return _checked_name(value)


class LatestPolicy(BaseModel, extra="forbid", frozen=True):
    """Serve the newest versions."""

    latest: int = Field(default=1, ge=1, le=16, description="how many of the newest versions to hold")


class SpecificPolicy(BaseModel, extra="forbid", frozen=True):
    """Serve named versions only."""

    specific: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, description="versions to serve")


class ModelConfig(BaseModel, extra="forbid", frozen=True):
    """One model: a folder with a numbered folder for each version, as TensorFlow Serving has it."""

    base_path: Path = Field(description="folder that holds the version folders 1, 2, 3 …")
    versions: LatestPolicy | SpecificPolicy = Field(default=LatestPolicy(), description="which versions to serve")
    swap: Literal["availability_preserving", "resource_preserving"] = Field(
        default="availability_preserving",
        description="load the new version before the old one goes (needs room for two), or after",
    )
    engines: tuple[Literal["litert", "tensorflow-frozen", "tensorflow-saved-model"], ...] = Field(
        default=("litert", "tensorflow-frozen", "tensorflow-saved-model"),
        min_length=1,
        description="which engines may serve it; the fastest whose outputs agree is taken",
    )
    tolerance: float = Field(
        default=1e-4, gt=0, le=0.1, description="how far an engine's outputs may be from the original's"
    )
    threads: int = Field(default=1, ge=1, le=64, description="threads of one model call; 1 is the steadiest")
    labels: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default={}, description="names for versions, by which requests from the network may ask: stable = 3"
    )
    delivery: ModelDeliveryConfig | None = Field(
        default=None,
        description="where new versions come from; base_path then holds the factory's, which serves until one came",
    )


class ResourcesConfig(BaseModel, extra="forbid", frozen=True):
    """What models may take, and when they are looked for."""

    model_memory_mb: int = Field(default=4096, ge=16, description="host memory for all loaded models, megabytes")
    poll_s: float = Field(default=1.0, gt=0, le=3600, description="how often to look for new versions, seconds")
    gpu_memory_fraction: float | None = Field(
        default=None, gt=0, le=1, description="share of the GPU's memory; default: grows as needed"
    )


class ApplianceConfig(BaseModel, extra="forbid", frozen=True):
    """The whole file."""

    station: StationConfig
    cameras: dict[str, LineConfig] = Field(min_length=1)
    parts: dict[str, PartsConfig] = {}
    recipes: dict[str, RecipeConfig]
    models: dict[str, ModelConfig]
    mqtt: MqttConfig
    outbox: OutboxConfig = OutboxConfig()
    http: HttpConfig = HttpConfig()
    serving: ServingConfig = ServingConfig()
    resources: ResourcesConfig = ResourcesConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    sparkplug: SparkplugConfig | None = None
    home_assistant: HomeAssistantConfig | None = None

    @field_validator("cameras", "parts", "recipes", "models")
    @classmethod
    def _are_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            _checked_name(name)
        return value

    @field_validator("cameras", "parts")
    @classmethod
    def _are_no_topics(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in _TOPICS:
                raise ValueError(f"{name!r} cannot be a camera's or a group's name: the box has a topic called so")
        return value

    @field_validator("models")
    @classmethod
    def _leave_events_alone(cls, value: dict[str, ModelConfig]) -> dict[str, ModelConfig]:
        if "events" in value and value["events"].delivery is not None:
            raise ValueError("a delivered model cannot be called 'events': the box has a topic deployment/events")
        return value

    @model_validator(mode="after")
    def _references_exist(self) -> "ApplianceConfig":
        for name, line in self.cameras.items():
            _exists(f"cameras.{name}.recipe", line.recipe, self.recipes, "recipes")
            for other in line.recipes or ():
                _exists(f"cameras.{name}.recipes", other, self.recipes, "recipes")
            if line.recipes is not None and line.recipe not in line.recipes:
                raise ValueError(
                    f"cameras.{name}.recipes does not have {line.recipe!r}, which is the recipe to begin with"
                )
            self._check_deadlines(name)
        for name, recipe in self.recipes.items():
            _exists(f"recipes.{name}.model", recipe.model, self.models, "models")
        self._check_parts()
        self._check_pins()
        return self

    def _check_deadlines(self, camera: str) -> None:
        line = self.cameras[camera]
        for name in line.recipes or (line.recipe,):
            if not self._has_deadline(camera, name):
                raise ValueError(
                    f"recipes.{name} has no deadline_ms, and cameras.{camera} neither gate nor takt_ms from which one "
                    "follows; set one"
                )
            delay_ms, deadline_ms = self._delay_of(camera), self.deadline_ms(camera, name)
            if delay_ms >= deadline_ms:
                raise ValueError(
                    f"cameras.{camera} exposes {delay_ms:g} ms after the photo-eye's edge (gpio.delay_ms), and recipes."
                    f"{name} needs the verdict {deadline_ms:g} ms after it: raise deadline_ms, which counts from there"
                )

    def _has_deadline(self, camera: str, recipe: str) -> bool:
        known = (self.recipes[recipe].deadline_ms, self._gate_of(camera), self._takt_of(camera))
        return any(one is not None for one in known)

    def _check_parts(self) -> None:
        grouped: dict[str, str] = {}
        for name, parts in self.parts.items():
            if name in self.cameras:
                raise ValueError(f"parts.{name} has the name of a camera; its results would be taken for the camera's")
            for camera in parts.cameras:
                _exists(f"parts.{name}.cameras", camera, self.cameras, "cameras")
                if self.cameras[camera].trigger != "part":
                    raise ValueError(f"cameras.{camera} is one of parts.{name}, so its trigger has to be 'part'")
                if camera in grouped:
                    raise ValueError(f"cameras.{camera} is one of parts.{grouped[camera]} and of parts.{name}")
                grouped[camera] = name
            self._check_wired(name)
        for camera, line in self.cameras.items():
            if line.trigger == "part" and camera not in grouped:
                raise ValueError(f"cameras.{camera} has trigger = 'part', and no table of [parts] names it")

    def _check_wired(self, name: str) -> None:
        parts = self.parts[name]
        wired = [camera for camera in parts.cameras if self.cameras[camera].is_observed]
        if wired and parts.gpio is not None and parts.gpio.delay_ms:
            raise ValueError(
                f"parts.{name}.gpio.delay_ms cannot be with cameras.{wired[0]}.camera.trigger = 'hardware', because "
                "the wire exposes: set the camera's own TriggerDelay"
            )

    def _check_pins(self) -> None:
        users: dict[tuple[str, int | str], str] = {}
        for name, one in (*self.cameras.items(), *self.parts.items()):
            if one.gpio is not None:
                pin = (one.gpio.chip, one.gpio.line)
                if pin in users:
                    raise ValueError(
                        f"{users[pin]} and {name} have the same pin; a part that several cameras see is a table of "
                        "[parts]"
                    )
                users[pin] = name

    @property
    def delivered(self) -> dict[str, ModelDeliveryConfig]:
        """The models whose versions come from a registry, by name."""
        return {name: model.delivery for name, model in self.models.items() if model.delivery is not None}

    @property
    def line_name(self) -> str:
        """The line that packages have to be for."""
        return self.delivery.line or self.mqtt.base_topic.rpartition("/")[0] or self.mqtt.base_topic

    @property
    def control_socket(self) -> Path:
        """Where the delivery process answers operators' requests."""
        return self.station.state_folder / "models" / "control.sock"

    @property
    def line_socket(self) -> Path:
        """Where the line's own process answers: triggers, and changes of recipe."""
        return self.station.state_folder / "line.sock"

    @property
    def gateway_socket(self) -> Path:
        """Where the gateway answers: results to be published again."""
        return self.station.state_folder / "gateway.sock"

    @property
    def outbox_folder(self) -> Path:
        """Where results wait and are kept."""
        return self.outbox.folder or self.station.state_folder / "outbox"

    def store_of(self, model: str) -> Path:
        """The folder of a delivered model's store."""
        return self.station.state_folder / "models" / model

    def cameras_of(self, model: str) -> int:
        """How many cameras' parts this model may have to judge, after whatever changeover."""
        return sum(
            any(self.recipes[name].model == model for name in self.recipes_of(camera)) for camera in self.cameras
        )

    def recipes_of(self, camera: str) -> list[str]:
        """What the camera may be changed over to."""
        line = self.cameras[camera]
        if line.recipes is not None:
            return list(line.recipes)
        return [name for name in self.recipes if self._has_deadline(camera, name)]

    def deadline_ms(self, camera: str, recipe: str) -> float:
        """From the trigger to the moment the gate has to know: the sooner of the recipe's and the gate's.

        Where neither says so it is the takt: a verdict that takes longer than that keeps up with no line.
        """
        gate = self._gate_of(camera)
        given = (
            self.recipes[recipe].deadline_ms,
            None if gate is None else gate.deadline_ms + self._delay_of(camera),  # the gate's counts from the exposure
        )
        said = [one for one in given if one is not None]
        takt_ms = self._takt_of(camera)
        return min(said) if said or takt_ms is None else takt_ms

    def _group_of(self, camera: str) -> PartsConfig | None:
        return next((parts for parts in self.parts.values() if camera in parts.cameras), None)

    def _takt_of(self, camera: str) -> float | None:
        group = self._group_of(camera)
        return self.cameras[camera].takt_ms if group is None else group.takt_ms

    def _delay_of(self, camera: str) -> float:
        """From the trigger to the exposure."""
        one = self._group_of(camera) or self.cameras[camera]
        return 0.0 if one.gpio is None else one.gpio.delay_ms

    def _gate_of(self, camera: str) -> GateConfig | None:
        group = self._group_of(camera)
        return self.cameras[camera].gate if group is None else group.gate or self.cameras[camera].gate

    def config_id(self, camera: str, recipe: str | None = None) -> str:
        """Digest of everything that decides one camera's verdicts, besides the model version itself.

        `recipe`: the one in force, where it is not the one that the file begins with.
        """
        line = self.cameras[camera]
        value = {
            "line": line.model_dump(mode="json"),
            "recipe": self.recipes[recipe or line.recipe].model_dump(mode="json"),
        }
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        return "sha256:" + hashlib.sha256(canonical).hexdigest()


def load_config(path: Path) -> ApplianceConfig:
    """Read and check the operator's file.

    Relative paths in it are relative to the file. Raises: ConfigError with a sentence for each thing that is
    wrong: its path in the file, the value, and the nearest right one.
    """
    try:
        raw = path.read_bytes()[: FILE_MAX_BYTES + 1]
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    if len(raw) > FILE_MAX_BYTES:
        raise ConfigError(f"The configuration {path} is over {FILE_MAX_BYTES} bytes; that is no configuration.")
    try:
        value = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration {path} is not UTF-8 text: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The configuration {path} is not TOML: {error}.") from error
    try:
        config = ApplianceConfig.model_validate(value)
    except ValidationError as error:
        found = "\n".join(f"  {one}" for one in sentences(ApplianceConfig, value, error))
        raise ConfigError(f"The configuration {path} cannot be used:\n{found}") from error
    return _absolute(config, path.resolve().parent)


def _absolute(config: ApplianceConfig, folder: Path) -> ApplianceConfig:
    """The same with every path of the file made absolute."""
    station = config.station.model_copy(update={"state_folder": folder / config.station.state_folder})
    models = {name: _absolute_model(model, folder) for name, model in config.models.items()}
    cameras = {name: _absolute_camera(line, folder) for name, line in config.cameras.items()}
    serving = {
        key: None if own is None else folder / own
        for key in ("grpc_socket", "ssl_config_file")
        for own in (getattr(config.serving, key),)
    }
    files = {
        key: None if own is None else folder / own
        for key in ("credentials_file", "ca_file")
        for own in (getattr(config.delivery, key),)
    }
    tokens = config.http.tokens_file
    http = config.http.model_copy(update={"tokens_file": None if tokens is None else folder / tokens})
    return config.model_copy(
        update={
            "http": http,
            "delivery": config.delivery.model_copy(update=files),
            "station": station,
            "models": models,
            "cameras": cameras,
            "serving": config.serving.model_copy(update=serving),
        }
    )


def _absolute_model(model: ModelConfig, folder: Path) -> ModelConfig:
    delivery = model.delivery
    if delivery is not None:
        own = delivery.golden_folder
        delivery = delivery.model_copy(
            update={
                "trusted_keys": tuple(folder / key for key in delivery.trusted_keys),
                "golden_folder": None if own is None else folder / own,
            }
        )
    return model.model_copy(update={"base_path": folder / model.base_path, "delivery": delivery})


def _absolute_camera(line: LineConfig, folder: Path) -> LineConfig:
    own = {key: folder / said for key in ("folder",) for said in (getattr(line.camera, key, None),) if said is not None}
    password = getattr(line.camera, "password_file", None)
    if password is not None and len(password.parts) > 1:  # a bare name is a systemd credential
        own["password_file"] = folder / password
    return line.model_copy(update={"camera": line.camera.model_copy(update=own)}) if own else line


def _checked_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is no name: letters, digits, '_', '-' and '.', at most 64, beginning with a letter"
        )
    return value


def _exists(where: str, name: str, known: dict[str, Any], section: str) -> None:
    if name not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"{where} is {name!r}, but [{section}] has {names}")
