"""`appliance check`: is everything that the line needs there? One sentence a finding, with what to do."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from appliance import __version__
from appliance.box import box_of
from appliance.config import ApplianceConfig, load_config
from appliance.errors import ApplianceError, ConfigError
from appliance.golden import prove
from appliance.inspection import Plan
from appliance.inspection.gpio_pin import look_at_pin
from appliance.line_config import LineConfig
from appliance.models import newest_loader
from appliance.mqtt.trial import try_out
from appliance.registry.package.files import RELEASE_FILE
from appliance.registry.package.keys import read_public_keys
from appliance.registry.package.statement import read_statement
from appliance.registry.remote.opening import open_remote
from appliance.serving import ServableId, ServingError
from camera import CameraError, CameraTimeout, FrameStatus
from camera.checking import Level
from camera.checking.surroundings import before, surroundings
from camera.checking.system import System
from camera.checking.trial import expose
from camera.supervised import SupervisedCamera

_FRAME_S: Final = 5.0
_STATEMENT_MAX_BYTES: Final = 4 << 20


def check(config_file: Path) -> int:
    """Print a line for each thing. Returns 0 where all is well, 1 otherwise."""
    if not _print("configuration", lambda: _configuration(config_file)):
        return 1
    config = load_config(config_file)
    findings = [_print(what, find) for what, find in _questions(config)]
    well = all(findings)
    print("Everything is well." if well else "Not everything is well: see the lines marked with ✗.")
    return 0 if well else 1


def _questions(config: ApplianceConfig) -> Iterator[tuple[str, Callable[[], str]]]:
    for name, line in config.cameras.items():
        yield f"camera {name}", lambda name=name, line=line: _camera(name, line)  # type: ignore[misc]
    for name, triggered in (*config.cameras.items(), *config.parts.items()):
        if triggered.gpio is not None:
            yield f"trigger {name}", partial(look_at_pin, triggered.gpio.settings())
    for name in config.models:
        yield f"model {name}", lambda name=name: _model(config, name)  # type: ignore[misc]
    for name in config.delivered:
        yield f"delivery {name}", lambda name=name: _delivery(config, name)  # type: ignore[misc]
    yield "broker", lambda: _broker(config)


def _print(what: str, find: Callable[[], str]) -> bool:
    interactive = sys.stdout.isatty()
    if interactive:
        print(f"… {what}", end="\r", flush=True)
    begun = time.monotonic()
    try:
        mark, sentence = "✓", find()
    except (ApplianceError, CameraError) as error:
        mark, sentence = "✗", str(error)
    took = time.monotonic() - begun
    shown = f" ({took:.1f} s)" if took > 1 else ""
    print(f"{mark} {what}: {sentence}{shown}", flush=True)
    return mark == "✓"


def _configuration(config_file: Path) -> str:
    config = load_config(config_file)
    return (
        f"{config_file} is in order: {len(config.cameras)} camera(s), {len(config.recipes)} recipe(s), "
        f"{len(config.models)} model(s)."
    )


def _camera(name: str, line: LineConfig) -> str:
    """One picture, taken as the line takes it; `appliance camera check` looks closer."""
    camera = SupervisedCamera(line.camera)
    try:
        camera.open()
        camera.start()
        info = camera.info
        frame = expose(camera, _FRAME_S)
        if frame.status is not FrameStatus.OK:
            raise ApplianceError(f"its picture is {frame.status.value}: {frame.detail}. {_closer(name)}")
    except CameraTimeout as error:
        if line.camera.trigger == "hardware":
            return f"{info.model} ({info.serial}) waits for its wire; no part came within {_FRAME_S:.0f} s."
        raise ApplianceError(f"{error}. {_closer(name)}") from error
    except CameraError as error:
        system = System()
        around = before(surroundings(line.camera, system), system)
        causes = [one.sentence for one in around if one.level is Level.WRONG and one.what != "device"]  # it says so
        raise ApplianceError("; ".join([str(error), *causes])) from error
    finally:
        camera.end()
    height, width = frame.shape
    notes = "".join(f" ! {note.rstrip('.')}." for note in info.notes)
    return f"{info.model} ({info.serial}) gave a picture of {width}x{height}, {frame.pixel_format.value}.{notes}"


def _closer(name: str) -> str:
    return f"`appliance camera check --camera {name}` looks closer"


def _model(config: ApplianceConfig, name: str) -> str:
    """Load the newest version as the line would, and ask its recipes."""
    state = config.station.state_folder
    with TemporaryDirectory(prefix="appliance-check-") as scratch:
        cache = state / "prepared" if state.is_dir() else Path(scratch)
        version, folder, loader = newest_loader(config, name, cache)
        try:
            model = loader.load(ServableId(name, version))
        except ServingError as error:
            raise ApplianceError(f"Version {version} in {folder} cannot be used: {error}") from error
        try:
            recipes = [recipe for recipe in config.recipes.values() if recipe.model == name]
            for recipe in recipes:
                plan = Plan(recipe, model)
                plan.judge(plan.infer(model, plan.blank()))
            proven = prove(folder, model, recipes) or "it brings no golden samples to prove that it judges right here"
            return f"version {version} is loaded by {model.engine}: {model.engine_reason}; {proven}"
        finally:
            loader.unload()


def _delivery(config: ApplianceConfig, name: str) -> str:
    """Keys, source, and whose signature is on what lies there now. Nothing is downloaded but the statement."""
    settings = config.delivered[name]
    keys = read_public_keys(settings.trusted_keys)
    folder = settings.golden_folder
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"golden_folder {folder} is no folder; make it, with a folder of pictures for each label.")
    remote = open_remote(
        settings.source,
        config.delivery,
        mirrors=settings.mirrors,
        user_agent=f"inspection-appliance/{__version__} (check)",
    )
    try:
        seen = remote.look()
        listing = remote.list(seen)
        file = next((one for one in listing.files if one.path == RELEASE_FILE), None)
        if file is None:
            raise ConfigError(f"What lies at {seen.reference} is not signed; `appliance sign` signs packages.")
        statement, key = read_statement(remote.read(file, _STATEMENT_MAX_BYTES), keys)
    finally:
        remote.close()
    return (
        f"{seen.reference} holds release {statement.release} (version {statement.version}) of {statement.model}, "
        f"signed by {key.name}"
    )


def _broker(config: ApplianceConfig) -> str:
    mqtt = config.mqtt
    tried = try_out(mqtt, f"{config.station.name}-check", f"{mqtt.base_topic}/check", box_of(config).filters())
    where = f"{mqtt.host}:{mqtt.port}"
    if tried.refusal is not None:
        raise ApplianceError(
            f"{where} lets this box in and refuses what it publishes ({tried.refusal}): its access list must allow "
            f"writing below {mqtt.base_topic}/#."
        )
    if tried.unread:
        raise ApplianceError(
            f"{where} lets this box in and does not let it read {', '.join(tried.unread)}: commands and the like would "
            "never arrive; its access list must allow reading there."
        )
    if mqtt.protocol != "5":
        return f"{where} accepts this box. Whether it may publish below {mqtt.base_topic} is not told over MQTT 3.1.1."
    return f"{where} accepts this box, and what it publishes below {mqtt.base_topic}."
