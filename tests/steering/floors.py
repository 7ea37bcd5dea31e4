"""A line's double: it keeps what `appliance.lines.Lines` promises to commands, and may misbehave on request."""

import itertools
import threading
import time
from dataclasses import replace

from appliance.api.access import Access
from appliance.api.board import Board
from appliance.api.health import create_app
from appliance.api.line import LineViews
from appliance.api.server import HttpServer
from appliance.api.steered import Turns
from appliance.inspection.result import Evaluation, ModelUsed, Result, Times
from appliance.line_commands import LineCommands
from appliance.recipes import NotPossible, UnknownCamera, UnknownRecipe
from appliance.status import CameraStatus, LineStatus, RecipeStatus
from appliance.steering.client import ControlClient
from appliance.steering.requests import RECIPE_SCHEMA_PATH
from appliance.steering.sides import LINE

DOCUMENTS = {"schema/recipe.json": RECIPE_SCHEMA_PATH.read_bytes()}
SINCE = "2026-11-21T10:00:00.000Z"


def result_of(camera: str, trigger_id: int, part_id: str | None) -> Result:
    return Result(
        station="line3-box1",
        camera=camera,
        trigger_id=trigger_id,
        recipe_id="housing-a",
        config_id="sha256:" + "0" * 64,
        evaluation=Evaluation.OK,
        reason=None,
        detail="",
        classes=(),
        model=ModelUsed("surface", 7, "sha256:" + "7" * 64),
        exposed_utc_ns=time.time_ns(),
        times=Times(8.1, 0.2, 5.6, 14.4, 9.0),
        deadline_ms=100.0,
        clock_synchronized=None,
        is_simulated=True,
        verdict_ns=time.monotonic_ns(),
        part_id=part_id,
    )


class Lines:
    """Two cameras, of which commands trigger `top` and a timer `side`, and the group `both`."""

    def __init__(self):
        self.triggered = []
        self.judges = True
        """False: results stay out."""
        self.records = True
        self.records_first = False
        """The disk is faster than the thread that tells of the result."""
        self.recorded = lambda _result_id: None
        self.bad_recipes = {"broken": "Recipe broken cannot be used now: no version of its model serves."}
        self.changing = threading.Event()
        self.changing.set()
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._threads = []
        known = ["broken", "housing-a", "housing-b"]
        self.in_force = {
            name: RecipeStatus(name, "housing-a", None, SINCE, "sha256:" + "0" * 64, 100.0, known)
            for name in ("top", "side")
        }

    def trigger(self, name, *, part_id=None, on_result=None):
        self._known(name)
        if name == "side":
            raise NotPossible("side is triggered by its timer, not by commands: set its trigger to 'command'.")
        trigger_id = next(self._ids)
        self.triggered.append((name, part_id))
        if on_result is not None and self.judges:
            thread = threading.Thread(target=self._judge, args=(result_of(name, trigger_id, part_id), on_result))
            self._threads.append(thread)
            thread.start()
        return trigger_id

    def _judge(self, result, on_result):
        if self.records_first:
            self.recorded(result.result_id)
        on_result(result)
        if self.records and not self.records_first:
            self.recorded(result.result_id)

    def recipes(self):
        return list(self.in_force.values())

    def change_over(self, recipe, *, cameras=(), job_id=None):
        assert self.changing.wait(20)
        for name in cameras:
            self._known(name)
        names = ("top", "side") if not cameras or "both" in cameras else tuple(cameras)
        if recipe not in self.in_force["top"].recipes:
            raise UnknownRecipe(f"There is no recipe {recipe!r}: did you mean 'housing-b'? there are housing-a.")
        if recipe in self.bad_recipes:
            for name in names:
                self.in_force[name] = replace(self.in_force[name], refused=self.bad_recipes[recipe])
            raise NotPossible(self.bad_recipes[recipe])
        with self._lock:
            for name in names:
                self.in_force[name] = replace(self.in_force[name], recipe=recipe, job_id=job_id, refused=None)
        return [self.in_force[name] for name in names]

    def _known(self, name):
        if name not in ("top", "side", "both"):
            raise UnknownCamera(f"There is no camera {name!r}: did you mean 'top'? there are top, side, both.")

    def close(self):
        for thread in self._threads:
            thread.join(10)


def status_of(lines: Lines) -> LineStatus:
    return LineStatus(
        at_ns=time.monotonic_ns(),
        started_utc=SINCE,
        station="line3-box1",
        phase="running",
        reasons=[],
        cameras={name: CameraStatus(state="online", recipe=one.recipe) for name, one in lines.in_force.items()},
        models=[],
        outbox=None,
        resident_bytes=1,
        takes_parts=True,
        recipes=lines.recipes(),
    )


class Floor:
    """The line's double behind its real socket, and the gateway's real HTTP side in front of it."""

    def __init__(self, folder, *, tokens=None, threads=4):
        self.lines = Lines()
        self.socket = folder / "line.sock"
        self.commands = LineCommands(self.lines)
        self.lines.recorded = self.commands.recorded
        self.server = self.commands.server(self.socket)
        self.client = ControlClient(self.socket, LINE)
        self.board = Board()
        views = LineViews(self.board, self.client.ask, Access(tokens), Turns(threads))
        app = create_app(self.board, version="1", documents=DOCUMENTS, line=views)
        self.http = HttpServer(app, "127.0.0.1", 0, threads=threads)
        self.http.start()

    def start_line(self):
        self.server.start()
        self.report()
        return self

    def report(self):
        self.board.line_reported(status_of(self.lines))

    def close(self):
        self.lines.changing.set()
        self.commands.stop()
        self.http.stop(5)
        self.server.stop()
        self.lines.close()
