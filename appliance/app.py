"""The running line as one readable list: builds everything, owns every thread of the line's process.

Here is what must be steady, and nothing else: cameras, stations, the Manager, the outbox's writer. Whatever talks to a
network lives in the gateway's process, or in the surface's (see deploy/decisions/0001 and 0012).
"""

import gc
import logging
import os
import signal
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

import cv2

from appliance import clock, scheduling, systemd
from appliance.children import DeliveryChild, GatewayChild, SurfaceChild
from appliance.config import ApplianceConfig, load_config
from appliance.diagnosis import Findings, Lateness, diagnose
from appliance.errors import ConfigError
from appliance.inspection import RecipeConfig, Result
from appliance.inspection.result import rfc3339
from appliance.intervals import Intervals
from appliance.lending import Lender, Limits
from appliance.line_commands import LineCommands
from appliance.lines import Lines
from appliance.models import Models, lending_workers
from appliance.outbox import Outbox
from appliance.outbox.row import Recorded
from appliance.shadowing import Feed
from appliance.status import LineStatus, OutboxStatus
from appliance.steering.errors import SocketFailed

logger = logging.getLogger(__name__)

_STATUS_PERIOD_S: Final = 1.0
_CLOCK_PERIOD_S: Final = 10.0
_FIRST_MODEL_WAIT_S: Final = 150.0
"""The timer trigger waits so long for the models' first load to end, well or badly."""
_DRAIN_S: Final = 10.0
"""How long a stop waits for the broker to take what is recorded. The rest stays on disk for the next start."""
_SURFACE_STOPS_S: Final = 2.0
"""Requests for predictions that are under way may take so long when the line stops."""
_DELIVERY_STOPS_S: Final = 5.0
"""What it has begun it finds on its disk again."""


class App:
    """The line's process. run() is its main thread."""

    def __init__(
        self, config: ApplianceConfig, config_file: Path, *, parts: int | None = None, once: bool = False
    ) -> None:
        """`parts`: each timer trigger ends after so many; `once`: stop when every camera has ended."""
        self._config = config
        self._config_file = config_file
        self._once = once or parts is not None
        self._phase = "starting"
        self._started_utc = rfc3339(time.time_ns())
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._reload = False
        self._config_problem: str | None = None
        self._no_commands: str | None = None
        self._crashed: str | None = None
        self._late = Lateness()
        state = config.station.state_folder
        self._outbox = Outbox(
            config.outbox_folder,
            max_bytes=int(config.outbox.max_bytes),
            policy=config.outbox.policy,
            queue_max=config.outbox.queue_max,
            keep_days=config.outbox.keep_days,
            on_recorded=self._recorded,
        )
        self._models = Models(config, state / "prepared", self._recipes_of)
        self._gateway = GatewayChild(config_file, self._outbox.acknowledge_up_to, self._changed)
        self._lender = Lender(
            self._models.backend, lending_workers(config), Limits.of(config.serving), self._models.labels
        )
        self._surface = SurfaceChild(config_file, self._lender, self._changed)
        self._feed = Feed()
        delivered = self._models.delivered
        self._delivery = DeliveryChild(
            config_file,
            self._feed,
            delivered.wished,
            delivered.look,
            delivered.alone,
            self._changed,
            is_wanted=bool(delivered.names),
        )
        delivered.show, delivered.moved = self._feed.show, self._pointer_moved
        self._lines = Lines(
            config,
            self._models,
            record=self._record,
            accepting=self._outbox.accepting,
            show=self._feed.offer,
            changed=self._changed,
            spawn=self._thread,
            parts=parts,
        )
        self._intervals = Intervals(config.mqtt.summary_s, self._lines.end_intervals, self._gateway.send)
        self._commands = LineCommands(self._lines)
        self._control = self._commands.server(config.line_socket)
        self._recorded_row = 0
        # Those that are not on disk yet, by camera; in their order.
        self._decided: defaultdict[str, deque[Result]] = defaultdict(partial(deque, maxlen=config.outbox.queue_max))

    def run(self) -> int:
        """Start, run until told to stop, stop. Returns the process' exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        scheduling.put_the_line_first()
        cv2.setNumThreads(1)  # two threads make a resize no faster, and its worst case worse
        shared = [
            self._thread("gateway", self._gateway.run),
            self._thread("manager", partial(self._models.manage, self._stop)),
            self._thread("models", partial(self._models.watch, self._stop)),
            *(self._thread(name, body) for name, body in self._surface.threads().items()),
            *(self._thread(name, body) for name, body in self._delivery_threads().items()),
        ]
        self._models.manager.monitor.subscribe(self._lender.changed)
        try:
            self._outbox.start()
            for thread in shared:
                thread.start()
            self._build_lines()
            self._serve()
        finally:
            self._shut_down(shared)
        return 1 if self._crashed else 0

    def _build_lines(self) -> None:
        """Cameras at once; triggers of the timer when the models' first load has ended, well or badly."""
        self._lines.build()
        self._models.wait_first_load(_FIRST_MODEL_WAIT_S, self._stop)
        gc.collect()
        gc.freeze()  # what was built to stay is never looked through again
        gc.disable()  # each station collects between two parts
        self._lines.go()

    def _serve(self) -> None:
        """The main thread's loop: the watchdog, the status, reload, and the end."""
        self._phase = "running"
        self._take_commands()
        systemd.ready(self._status().sentence)
        fed: dict[str, int] = {}
        clock_at = 0.0
        while not self._stop.is_set() and self._crashed is None:
            self._wake.wait(min(_STATUS_PERIOD_S, self._intervals.left_s()))
            self._wake.clear()
            if self._reload:
                self._reload = False
                self._reload_config()
            beats = {name: line.beats for name, line in self._lines.cameras.items()}
            if all(count != fed.get(name, -1) for name, count in beats.items()):
                fed = beats
                systemd.alive()
            if time.monotonic() - clock_at > _CLOCK_PERIOD_S:
                clock_at = time.monotonic()
                self._ask_clock()
            self._tell()
            if self._intervals.left_s() <= 0:
                self._intervals.tell(clock_synchronized=clock.synchronized())
            if self._once and self._lines.finished:
                logger.info("Every camera has ended; so does the line.")
                return

    def _take_commands(self) -> None:
        """Triggers and changeovers by people and programs. Where that cannot be, parts are judged all the same."""
        try:
            self._control.start()
        except SocketFailed as error:
            self._no_commands = f"{error} No trigger and no changeover by command reaches the line."
            logger.error("%s", error)  # noqa: TRY400 - the sentence says it all

    def _shut_down(self, shared: Sequence[threading.Thread]) -> None:
        """Parts under way get their results, results go to disk, what is on disk to the broker; then all ends."""
        self._phase = "stopping"
        systemd.stopping("Stopping: results under way are recorded and delivered.")
        gc.enable()
        self._tell()
        self._commands.stop()
        self._control.stop()
        self._surface.ask_to_stop(_SURFACE_STOPS_S)
        self._delivery.ask_to_stop()
        self._lines.stop()
        self._outbox.close(_DRAIN_S)
        self._tell()
        self._intervals.tell(clock_synchronized=clock.synchronized())
        if not self._gateway.drain(self._recorded_row, _DRAIN_S) and self._crashed is None:
            waiting = self._outbox.depth().rows
            logger.warning("The broker did not take everything in time; %d results wait on disk.", waiting)
        self._stop.set()
        self._surface.end(_SURFACE_STOPS_S)
        self._delivery.end(_DELIVERY_STOPS_S)
        self._feed.wake()
        self._models.stop()
        for thread in shared:
            if thread.ident is not None:
                thread.join(5.0)

    def _record(self, camera: str, result: Result) -> None:
        if not result.views:  # a combined one was counted view by view
            self._models.delivered.count(self._lines.model_of(result), result)
        self._decided[camera].append(result)
        self._outbox.append(camera, "result", result.fields())

    def _recipes_of(self, model: str) -> list[RecipeConfig]:
        return self._lines.recipes_of(model)

    # What others tell us, on their threads ----------------------------------------------------------------------

    def _recorded(self, messages: Sequence[Recorded]) -> None:
        """On the outbox's writer thread: these are on disk."""
        self._recorded_row = messages[-1].row
        self._gateway.send(b'recorded\n{"row":%d}' % self._recorded_row)
        for message in messages:
            tally = self._lines.tally(message.camera)
            if tally is not None and message.topic == "result" and self._decided[message.camera]:
                result = self._decided[message.camera].popleft()
                tally.recorded(message.stream, message.sequence, (message.committed_ns - result.verdict_ns) / 1e6)
                self._commands.recorded(result.result_id)

    def _changed(self) -> None:
        self._wake.set()

    def _pointer_moved(self) -> None:
        """Another version answers where none is asked for."""
        self._lender.changed()
        self._changed()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop.set()
        self._wake.set()

    def _delivery_threads(self) -> dict[str, Callable[[], object]]:
        if not self._models.delivered.names:
            return {}
        bodies = {"delivered": self._models.delivered.run, "feed": self._feed.run}
        return {**self._delivery.threads(), **{name: partial(body, self._stop) for name, body in bodies.items()}}

    def _thread(self, name: str, body: Callable[[], object], role: str | None = None) -> threading.Thread:
        """`role`: the real-time priority, for those that a part waits for."""
        return threading.Thread(target=self._guarded, args=(name, body, role), name=name, daemon=True)

    def _guarded(self, name: str, body: Callable[[], object], role: str | None) -> None:
        """The boundary of each thread: a defect in one ends the process, and systemd starts it anew."""
        scheduling.name_thread(name)
        if role is not None:
            scheduling.enter_real_time(role)
        try:
            body()
        except Exception:
            logger.critical("The thread %s failed; the line cannot go on without it.", name, exc_info=True)
            self._crashed = name
            self._wake.set()

    # Reload ------------------------------------------------------------------------------------------------------

    def _reload_config(self) -> None:
        """Take over a changed file. What cannot be used leaves the running settings as they are, and is said."""
        systemd.reloading()
        try:
            config = load_config(self._config_file)
            self._refuse_what_needs_a_restart(config)
        except ConfigError as error:
            self._config_problem = f"{error} The settings before stay in use."
            logger.error("%s", self._config_problem)  # noqa: TRY400 - the sentence says it all
        else:
            self._config_problem = None
            self._take_over(config)
            logger.info("The configuration was read again and is in use.")
        systemd.ready(self._status().sentence)

    def _refuse_what_needs_a_restart(self, config: ApplianceConfig) -> None:
        for section in (
            "station",
            "outbox",
            "mqtt",
            "http",
            "serving",
            "resources",
            "delivery",
            "sparkplug",
            "home_assistant",
        ):
            if getattr(config, section) != getattr(self._config, section):
                raise ConfigError(f"[{section}] changed; that needs `systemctl restart appliance`.")
        if config.delivered != self._config.delivered:
            raise ConfigError("A [models.….delivery] changed; that needs `systemctl restart appliance`.")

    def _take_over(self, config: ApplianceConfig) -> None:
        """Only the lines whose settings changed stop for a moment; the others judge on."""
        self._config = config
        self._models.update(config)
        self._lender.changed()
        self._lines.update(config)

    # Status ------------------------------------------------------------------------------------------------------

    def _ask_clock(self) -> None:
        synchronized = clock.synchronized()
        for line in self._lines.cameras.values():
            line.reporter.clock_synchronized = synchronized

    def _tell(self) -> None:
        """The gateway and the delivery process get the whole status, systemd its sentence."""
        status = self._status()
        raw = b"status\n" + status.to_json()
        self._gateway.send(raw)
        self._delivery.send(raw)
        if self._phase == "running":
            systemd.status(status.sentence)

    def _status(self) -> LineStatus:
        lines = dict(self._lines.cameras)
        cameras, groups = self._lines.statuses()
        models = self._models.statuses()
        triggers = self._lines.trigger_problems()
        deliveries = self._models.delivered.statuses(self._feed.counts())
        outbox = self._outbox_status()
        reasons = diagnose(
            Findings(
                phase=self._phase,
                cameras=cameras,
                finished=frozenset(n for n, line in lines.items() if line.acquisition.state.finished),
                triggers=triggers,
                late_now=self._late.now({name: camera.deadline_missed for name, camera in cameras.items()}),
                self_tests={name: line.self_test_problem for name, line in lines.items()},
                models=models,
                used=frozenset(recipe.model for recipe in self._used_recipes()),
                sources=self._models.problems(),
                outbox=outbox,
                gateway=self._gateway.problem if self._phase == "running" else None,
                surface=self._surface.problem if self._phase == "running" else None,
                config=self._config_problem,
                commands=self._no_commands,
                deliveries=deliveries,
                delivery=self._delivery.problem if self._phase == "running" else None,
            )
        )
        available = {model.name for model in models if model.state == "AVAILABLE"}
        return LineStatus(
            at_ns=time.monotonic_ns(),
            started_utc=self._started_utc,
            station=self._config.station.name,
            phase=self._phase,
            reasons=reasons,
            cameras=cameras,
            models=models,
            outbox=outbox,
            resident_bytes=_resident_bytes(),
            takes_parts=self._phase == "running"
            and outbox.accepting
            and not triggers
            and all(camera.state == "online" for camera in cameras.values())
            and all(recipe.model in available for recipe in self._used_recipes()),
            deliveries=deliveries,
            recipes=self._lines.recipes(),
            groups=groups,
        )

    def _used_recipes(self) -> list[RecipeConfig]:
        return [line.in_force.recipe for line in self._lines.cameras.values()]

    def _outbox_status(self) -> OutboxStatus:
        depth = self._outbox.depth()
        return OutboxStatus(
            accepting=self._outbox.accepting(),
            problem=self._outbox.problem(),
            pending=depth.rows + depth.queued,
            pending_bytes=depth.bytes,
            oldest_age_s=depth.oldest_age_s or 0.0,
            recorded_total=self._outbox.recorded_total,
            lost_total=self._outbox.lost_total,
            kept=depth.kept_rows,
            kept_bytes=depth.kept_bytes,
            kept_age_s=depth.oldest_kept_age_s,
            max_bytes=int(self._config.outbox.max_bytes),
            state=self._outbox.state.name,
            unconfirmed_total=self._outbox.unheard_total,
        )


def _resident_bytes() -> int:
    """Memory of this process that is in RAM now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
