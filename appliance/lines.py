"""All cameras' lines and groups of a station: built from the configuration, triggered, changed over, stopped."""

import difflib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final, Protocol

from appliance import scheduling
from appliance.config import ApplianceConfig
from appliance.figures import Counted
from appliance.inspection import CameraLine, InForce, LineSettings, RecipeConfig, Reporter, Result
from appliance.inspection.acquisition import AcquisitionSettings
from appliance.inspection.group import Group, GroupSettings
from appliance.inspection.photo_eye import PhotoEye, Trigger
from appliance.inspection.result import rfc3339
from appliance.inspection.tally import Tally
from appliance.inspection.ticker import Ticker
from appliance.line_config import TriggerConfig
from appliance.models import Models
from appliance.recipes import NotPossible, Recipes, UnknownCamera, UnknownRecipe
from appliance.status import CameraStatus, RecipeStatus
from camera.frame import Frame
from camera.supervised import SupervisedCamera

logger = logging.getLogger(__name__)

_SELF_TEST_S: Final = 5.0
_CAMERA_OPENS_S: Final = 10.0
"""The timer's first trigger waits so long for the camera's first opening."""
_THREAD_ENDS_S: Final = 5.0


class _Trigger(Protocol):
    """What says that a part is there."""

    def run(self, stop: threading.Event) -> None: ...

    @property
    def finished(self) -> threading.Event: ...

    @property
    def problem(self) -> str | None: ...


Spawn = Callable[[str, Callable[[], object], str | None], threading.Thread]
"""Makes a thread (name, body, role for its priority) whose failure ends the process."""


class Lines:
    """Threads: build(), go(), update() and stop() by the owner's one; trigger(), change_over() and the rest by any.

    A camera's line has three threads and its driver's process; what triggers has one more.
    """

    def __init__(
        self,
        config: ApplianceConfig,
        models: Models,
        *,
        record: Callable[[str, Result], None],
        accepting: Callable[[], bool],
        show: Callable[[str, str, Frame, Result], None],
        changed: Callable[[], None],
        spawn: Spawn,
        parts: int | None,
    ) -> None:
        """`record` takes (camera or group, result); `show` (model, recipe, frame, result), of what was judged.

        `parts`: each timer ends after so many.
        """
        self._config = config
        self._record = record
        self._accepting = accepting
        self._show = show
        self._changed = changed
        self._spawn = spawn
        self._parts = parts
        self._recipes = Recipes(config, models)
        self._refused: dict[str, str] = {}
        self._changing = threading.Lock()  # one changeover, or reload, at a time
        self._going = threading.Event()
        self._stopping = False
        self.cameras: dict[str, CameraLine] = {}
        """By name; replaced entry by entry at a reload."""
        self.groups: dict[str, Group] = {}
        self._tallies: dict[str, Tally] = {}
        self._drivers: dict[str, SupervisedCamera] = {}
        self._triggers: dict[str, _Trigger] = {}
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, list[threading.Thread]] = {}

    # Life ----------------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Open the cameras. Nothing is triggered before go(), but by a camera itself."""
        for name in self._config.cameras:
            self._start_camera(name, None)
        for name in self._config.parts:
            self._start_group(name, None)

    def go(self) -> None:
        """What triggers may trigger from now on."""
        self._going.set()

    def stop(self) -> None:
        """No more triggers; parts under way get their results."""
        self._stopping = True
        self._going.set()
        for name in [*self.groups, *self.cameras]:
            self._stop_one(name)

    def update(self, config: ApplianceConfig) -> None:
        """After a reload: only what changed stops for a moment; the others judge on."""
        with self._changing:
            before = {name: self._digest(self._config, name) for name in self._names(self._config)}
            after = {name: self._digest(config, name) for name in self._names(config)}
            self._config = self._recipes.config = config
            changed = [name for name in before if after.get(name) != before[name]]
            groups = {name: self.groups[name] for name in changed if name in self.groups}
            cameras = {name: self.cameras[name] for name in changed if name in self.cameras}
            for name in (*groups, *cameras):
                self._stop_one(name)
            for name in config.cameras:
                if after[name] != before.get(name):
                    self._start_camera(name, cameras.get(name))
            for name in config.parts:
                if after[name] != before.get(name):
                    self._start_group(name, groups.get(name))

    # What operators and triggers ask -------------------------------------------------------------------------------

    def trigger(
        self, name: str, *, part_id: str | None = None, on_result: Callable[[Result], None] | None = None
    ) -> int:
        """A part is in front of this camera, or group: returns its trigger_id, at once.

        `on_result` gets its result on the thread that knows it, and must be quick.
        Raises: UnknownCamera, NotPossible.
        """
        now_ns = time.monotonic_ns()
        line = self._found(name)
        how = (self._config.parts.get(name) or self._config.cameras[name]).trigger
        if how != "command":
            raise NotPossible(f"{name} is triggered by its {how}, not by commands: set its trigger to 'command'.")
        if self._stopping:
            raise NotPossible("The box is being stopped.")
        told = None if on_result is None else (lambda result: None if result is None else on_result(result))
        trigger_id = line.trigger(now_ns, part_id=part_id, on_result=told)
        if trigger_id is None:
            raise NotPossible(f"{name} has shown its last stored picture.")
        return trigger_id

    def recipes(self) -> list[RecipeStatus]:
        """What is in force, by camera, in the configuration's order."""
        return [self._recipe_status(name, line.in_force) for name, line in list(self.cameras.items())]

    def change_over(
        self, recipe: str, *, cameras: Collection[str] = (), job_id: str | None = None
    ) -> list[RecipeStatus]:
        """From the next trigger on, these cameras (and those of groups; none: all) judge by this recipe.

        Tried before: its model serves, fits, and runs. All are changed or none; the recipe before stays where one is
        refused. Kept on disk for the next start. Takes as long as one inference, on the caller's thread.
        Raises: UnknownCamera, UnknownRecipe, NotPossible.
        """
        with self._changing:
            names = self._cameras_of(cameras)
            if recipe not in self._config.recipes:
                raise UnknownRecipe(_unknown("recipe", recipe, self._config.recipes))
            try:
                made = {name: self._recipes.tried(name, recipe, job_id) for name in names}
                self._recipes.remember(made)
            except NotPossible as error:
                self._refused.update(dict.fromkeys(names, str(error)))
                self._changed()
                raise
            with ExitStack() as between_parts:
                for group in self.groups.values():
                    between_parts.enter_context(group.between_parts())
                for name, in_force in made.items():
                    self.cameras[name].change_over(in_force)
                    self._refused.pop(name, None)
            fields = {"RECIPE": recipe, "JOB_ID": job_id or ""}
            logger.info("Changeover to recipe %s: %s.", recipe, ", ".join(names), extra=fields)
        self._changed()
        return [self._recipe_status(name, made[name]) for name in names]

    # What is told of them ------------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """No more parts will come, and every one that came has its result."""
        sources = all(self._is_done(name) for name in (*self.cameras, *self.groups))
        idle = [*(line.is_idle for line in self.cameras.values()), *(group.is_idle for group in self.groups.values())]
        return sources and all(idle)

    def statuses(self) -> tuple[dict[str, CameraStatus], dict[str, CameraStatus]]:
        """(by camera, by group)."""
        cameras = {name: _status(line) for name, line in list(self.cameras.items())}
        groups = {}
        for name, group in list(self.groups.items()):
            away = [line.reporter.camera for line in group.lines if line.acquisition.state.state != "online"]
            detail = f"Not online: {', '.join(away)}." if away else ""
            groups[name] = group.tally.snapshot("offline" if away else "online", detail)
        return cameras, groups

    def end_intervals(self) -> tuple[dict[str, Counted], dict[str, Counted]]:
        """(by camera, by group): what came since the last time, and all since the start."""
        told = {name: tally.end_interval() for name, tally in list(self._tallies.items())}
        cameras = {name: told[name] for name in self._config.cameras if name in told}
        return cameras, {name: told[name] for name in self._config.parts if name in told}

    def trigger_problems(self) -> dict[str, str]:
        """By camera or group: why its parts are not seen at present."""
        found = {name: source.problem for name, source in list(self._triggers.items())}
        return {name: problem for name, problem in found.items() if problem is not None}

    def recipes_of(self, model: str) -> list[RecipeConfig]:
        """Those that a version of this model has to fit."""
        return self._recipes.of_model(model)

    def tally(self, name: str) -> Tally | None:
        """A camera's, or a group's, counters; also when it was stopped."""
        return self._tallies.get(name)

    def model_of(self, result: Result) -> str:
        """Whose parts these are."""
        return self._config.recipes[result.recipe_id].model if result.recipe_id in self._config.recipes else ""

    # Building ------------------------------------------------------------------------------------------------------

    def _start_camera(self, name: str, before: CameraLine | None) -> None:
        config = self._config.cameras[name]
        reporter = Reporter(self._config.station.name, name)
        real = config.camera.driver != "folder"
        camera = SupervisedCamera(config.camera, opened=partial(scheduling.enter_real_time, "driver"))
        settings = AcquisitionSettings(
            detect_frozen=real if config.detect_frozen is None else config.detect_frozen,
            is_lossy=getattr(config.camera, "url", "").startswith(("rtsp:", "rtsps:")),
            observed=config.is_observed,
            newest=config.camera.takes_newest,
            lost_after_s=config.camera.lost_after_s,
            window_s=config.window_ms / 1e3,
        )
        line = CameraLine(
            camera,
            self._recipes.first(name),
            reporter,
            LineSettings(settings, _SELF_TEST_S),
            record=partial(self._record, name),
            accepting=self._accepting,
            changed=self._changed,
            show=self._shown,
            before=before,
        )
        if before is not None:
            reporter.clock_synchronized = before.reporter.clock_synchronized
        self._drivers[name] = camera
        self._tallies[name] = line.tally
        self.cameras[name] = line
        source = self._source(config, config.trigger, line.trigger, exposes=not config.is_observed)
        self._start_threads(name, line.threads(), source)

    def _start_group(self, name: str, before: Group | None) -> None:
        config = self._config.parts[name]
        settings = GroupSettings(config.frames, config.interval_ms / 1e3, config.ok_min)
        group = Group(
            name,
            lambda: [self.cameras[camera] for camera in config.cameras],
            settings,
            partial(self._record, name),
            before,
        )
        self.groups[name] = group
        self._tallies[name] = group.tally
        exposes = not any(self._config.cameras[camera].is_observed for camera in config.cameras)
        source = self._source(config, config.trigger, group.trigger, exposes=exposes)
        self._start_threads(name, group.threads(), source)

    def _source(self, config: TriggerConfig, how: str, trigger: Trigger, *, exposes: bool) -> _Trigger | None:
        """What triggers by itself; None where commands, or the camera, do. `exposes`: and a wire does not."""
        if how == "timer" and config.takt_ms is not None:
            return Ticker(config.takt_ms / 1e3, self._parts, trigger)
        if how == "gpio" and config.gpio is not None:
            return PhotoEye(config.gpio.settings(exposes=exposes), trigger, changed=self._changed)
        return None

    def _start_threads(self, name: str, bodies: Mapping[str, Callable[[], None]], source: _Trigger | None) -> None:
        stop = self._stops[name] = threading.Event()
        threads = [self._spawn(f"{name}/{role}", body, role) for role, body in bodies.items()]
        if source is not None:
            self._triggers[name] = source
            threads.append(self._spawn(f"{name}/trigger", partial(self._give_triggers, name, source, stop), "trigger"))
        self._threads[name] = threads
        for thread in threads:
            thread.start()

    def _give_triggers(self, name: str, source: _Trigger, stop: threading.Event) -> None:
        """The trigger's thread."""
        self._going.wait()
        for line in self._lines_of(name):
            line.acquisition.tried.wait(_CAMERA_OPENS_S)
        source.run(stop)

    def _stop_one(self, name: str) -> None:
        self._stops.pop(name).set()
        line = self.groups.pop(name, None) or self.cameras[name]
        line.stop()
        self._triggers.pop(name, None)
        for thread in self._threads.pop(name):
            thread.join(_THREAD_ENDS_S)
            if thread.is_alive():
                logger.error("The thread %s does not end; the process ends without it.", thread.name)
        if name in self._drivers:
            self._drivers.pop(name).end()
            self.cameras.pop(name)

    # Names ---------------------------------------------------------------------------------------------------------

    def _found(self, name: str) -> CameraLine | Group:
        found = self.groups.get(name) or self.cameras.get(name)
        if found is None:
            raise UnknownCamera(_unknown("camera", name, (*self.cameras, *self.groups)))
        return found

    def _cameras_of(self, names: Collection[str]) -> list[str]:
        """Raises: UnknownCamera."""
        for name in names:
            self._found(name)
        wanted = {camera for name in names for camera in self._members(name)}
        return [name for name in self._config.cameras if not names or name in wanted]

    def _members(self, name: str) -> Collection[str]:
        parts = self._config.parts.get(name)
        return (name,) if parts is None else parts.cameras

    def _lines_of(self, name: str) -> list[CameraLine]:
        return [self.cameras[camera] for camera in self._members(name) if camera in self.cameras]

    def _is_done(self, name: str) -> bool:
        """Nothing will trigger it any more."""
        source = self._triggers.get(name)
        if source is not None and source.finished.is_set():
            return True
        if name in self.groups:
            return all(line.acquisition.state.finished for line in self.groups[name].lines)
        if self._config.cameras[name].trigger == "part":  # its group knows
            return True
        return self.cameras[name].acquisition.state.finished

    def _shown(self, frame: Frame, result: Result) -> None:
        self._show(self.model_of(result), result.recipe_id, frame, result)

    def _recipe_status(self, name: str, in_force: InForce) -> RecipeStatus:
        return RecipeStatus(
            camera=name,
            recipe=in_force.recipe_id,
            job_id=in_force.job_id,
            since_utc=rfc3339(in_force.since_utc_ns),
            config_id=in_force.config_id,
            deadline_ms=in_force.deadline_ms,
            recipes=self._config.recipes_of(name),
            refused=self._refused.get(name),
        )

    def _names(self, config: ApplianceConfig) -> Iterable[str]:
        return (*config.cameras, *config.parts)

    def _digest(self, config: ApplianceConfig, name: str) -> str:
        """Changes with everything that a line or a group is built from."""
        if name in config.cameras:
            line, recipe = config.cameras[name], self._recipes.now(config, name)
            return f"{line.model_dump_json()} {recipe} {config.recipes[recipe].model_dump_json()}"
        parts = config.parts[name]
        return parts.model_dump_json() + "".join(self._digest(config, camera) for camera in parts.cameras)


def _status(line: CameraLine) -> CameraStatus:
    acquisition = line.acquisition
    state, info = acquisition.state, acquisition.info
    status = line.tally.snapshot(state.state, state.detail)
    status.lost = status.reasons.get("FRAME_MISSING", 0)
    status.skipped, status.counters = acquisition.skipped, dict(acquisition.counters)
    status.recipe, status.job_id = line.in_force.recipe_id, line.in_force.job_id
    if info is not None:
        status.driver, status.model, status.serial = info.driver, info.model, info.serial
        status.notes = list(info.notes)
    return status


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"There is no {what} {name[:64]!r}: {hint}there are {', '.join(names) or 'none'}."
