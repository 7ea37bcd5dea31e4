"""Which camera is meant: of the operator's file, of settings on the command line, or both."""

import difflib
import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.commissioning.errors import CommissioningError
from appliance.config import ApplianceConfig, load_config
from appliance.line_config import LineConfig
from camera.config import AnyConfig, FolderConfig, VirtualConfig
from camera.errors import CameraConfigError
from camera.opening import check_config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in pixels."""
_DEMO_MODEL: Final = Path(__file__).parent.parent / "demo_model"
_DEMO_SEED: Final = 2026
_METADATA: Final = Path("assets.extra/inspection.json")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One camera, and what the file says around it."""

    name: str
    settings: AnyConfig
    needed_hz: float | None = None
    """Pictures a second that the line will ask for; None where nobody said."""
    speed_mm_s: float | None = None
    """Of the parts, where the file says it (its gate)."""
    regions: Mapping[str, Rectangle] = field(default_factory=dict)
    """What its recipe looks at."""
    config: ApplianceConfig | None = None
    """The whole file, where there is one."""

    @property
    def neighbours(self) -> dict[str, LineConfig]:
        """The other cameras of the file."""
        if self.config is None:
            return {}
        return {name: line for name, line in self.config.cameras.items() if name != self.name}


def choose(options: Namespace) -> Chosen:
    """From --config, --camera, --set and --demo. Raises: ConfigError, CommissioningError."""
    said = _said(options.set)
    if options.config is not None:
        return _of_file(load_config(options.config), options.config, options.camera, said)
    if getattr(options, "demo", False):
        settings = _checked({"driver": "virtual", "seed": _DEMO_SEED, **said})
        return Chosen("demo", settings, regions=_regions_of(metadata_below(_DEMO_MODEL)))
    if not said:
        demo = ", or --demo" if hasattr(options, "demo") else ""
        raise CommissioningError(
            f"Which camera? Name it with --config FILE --camera NAME, or with --set driver=... and its settings{demo}."
        )
    return Chosen(options.camera or "camera", _checked(said))


def needed_hz(config: ApplianceConfig, name: str) -> float | None:
    """Pictures a second that the line asks of a camera; None where only the parts themselves say."""
    line = config.cameras[name]
    together = [part for part in config.parts.values() if name in part.cameras]
    periods_ms = [part.interval_ms if part.frames > 1 else part.takt_ms for part in together]
    shortest = min((one for one in (line.takt_ms, *periods_ms) if one), default=None)
    return 1e3 / shortest if shortest else getattr(line.camera, "frame_rate_hz", None)


def _of_file(config: ApplianceConfig, file: Path, name: str | None, said: Mapping[str, Any]) -> Chosen:
    names = ", ".join(config.cameras)
    if name is None:
        if len(config.cameras) > 1:
            raise CommissioningError(f"{file} has several cameras ({names}): say which with --camera NAME.")
        name = next(iter(config.cameras))
    if name not in config.cameras:
        near = difflib.get_close_matches(name, config.cameras, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CommissioningError(f"{file} has no camera {name!r}; it has {names}.{hint}")
    line = config.cameras[name]
    settings: AnyConfig = line.camera
    if said:
        settings = _checked(_merged(line.camera.model_dump(exclude_unset=True) | {"driver": line.camera.driver}, said))
    speed_mm_s = line.gate.speed_mm_s if line.gate else None
    return Chosen(name, settings, needed_hz(config, name), speed_mm_s, _recipes_regions(config, line), config)


def _checked(settings: Mapping[str, Any]) -> AnyConfig:
    try:
        return check_config(settings)
    except CameraConfigError as error:
        raise CommissioningError(str(error)) from error


def _said(pairs: list[str]) -> dict[str, Any]:
    """--set KEY=VALUE, where VALUE is TOML, or a word or path as it stands."""
    said: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise CommissioningError(f"--set {pair!r} is not KEY=VALUE, as in --set driver=virtual.")
        said = _merged(said, _parsed(key.strip(), value.strip(), pair))
    return said


def _parsed(key: str, value: str, pair: str) -> dict[str, Any]:
    for written in (value, json.dumps(value)):
        with suppress(tomllib.TOMLDecodeError):
            return tomllib.loads(f"{key} = {written}")
    raise CommissioningError(f"--set {pair!r} is not KEY=VALUE, with the name of a setting as KEY.")


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _recipes_regions(config: ApplianceConfig, line: LineConfig) -> Mapping[str, Rectangle]:
    """The recipe's own, or, where it says none, those of its model's newest version."""
    recipe = config.recipes[line.recipe]
    own = _regions_of({"input": recipe.input.model_dump(exclude_none=True)})
    return own or _regions_of(metadata_below(config.models[recipe.model].base_path))


def metadata_below(base_path: Path) -> Mapping[str, Any]:
    """What the newest version says about its input; nothing where there is none: this is for drawing only."""
    with suppress(OSError, ValueError):
        versions = sorted((one for one in base_path.iterdir() if one.name.isdecimal()), key=lambda one: int(one.name))
        metadata = json.loads((versions[-1] / _METADATA).read_text("utf-8")) if versions else {}
        return metadata if isinstance(metadata, dict) else {}
    return {}


def _regions_of(metadata: Mapping[str, Any]) -> Mapping[str, Rectangle]:
    said = metadata.get("input")
    if not isinstance(said, Mapping):
        return {}
    regions = {str(name): _rectangle(one) for name, one in (said.get("regions") or {}).items()}
    if said.get("roi"):
        regions["roi"] = _rectangle(said["roi"])
    return {name: one for name, one in regions.items() if one is not None}


def _rectangle(value: Any) -> Rectangle | None:
    with suppress(TypeError, ValueError):
        x, y, width, height = (int(one) for one in value)
        return x, y, width, height
    return None


def is_shown_only(settings: AnyConfig) -> bool:
    """No sensor behind it: a virtual camera, or stored pictures."""
    return isinstance(settings, VirtualConfig | FolderConfig)
