"""Outboxes as the real writer leaves them, with results as the line makes them; and the command, run on them."""

import json
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from appliance.cli import main
from appliance.outbox.history import History, Selection
from appliance.outbox.store import Outbox

DIGEST = f"sha256:{'5a' * 32}"
START = datetime(2026, 11, 20, 5, 0, tzinfo=timezone.utc)


def result(number=1, camera="top", *, evaluation="OK", at=None, **more):
    """A result that obeys the schema, of the part with this number: one each second since START."""
    reasons = {"OK": None, "NotOK": "CLASS_ABOVE_LIMIT", "NotDecidable": "BETWEEN_LIMITS", "Undefined": "FRAME_MISSING"}
    bad = {"OK": 0.021, "NotOK": 0.973, "NotDecidable": 0.5, "Undefined": None}[evaluation]
    classes = [] if bad is None else [{"label": "scratch", "score": bad}, {"label": "good", "score": 1 - bad}]
    moment = at or START + timedelta(seconds=number)
    return {
        "schema_version": 1,
        "result_id": str(uuid.UUID(int=(7 << 76) + (hash(camera) % 2**32 << 40) + number)),
        "station": "line3-box1",
        "camera": camera,
        "part_id": None,
        "trigger_id": number,
        "recipe_id": "housing-a",
        "job_id": None,
        "config_id": DIGEST,
        "verdict": "pass" if evaluation == "OK" else "fail",
        "evaluation": evaluation,
        "reason": reasons[evaluation],
        "detail": None,
        "classes": sorted(classes, key=lambda one: -one["score"]),
        "regions": None,
        "views": None,
        "model": None if bad is None else {"name": "surface", "version": 7, "digest": DIGEST},
        "exposure_time_utc": moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "clock": {"synchronized": True},
        "processing_times": {
            "acquisition_ms": 8.1,
            "queue_ms": 0.2,
            "inference_ms": 5.6,
            "total_ms": 10.0 + number % 10,
            "frame_age_ms": 9.0,
        },
        "deadline_ms": 100,
        "deadline_met": evaluation != "Undefined",
        "image_uri": None,
        "is_simulated": False,
        "replayed": False,
    } | more


class Box:
    """A line that records: `with box(folder) as line: line.record(...)`."""

    def __init__(self, folder, **changes):
        self.folder = folder
        self._count = 0
        self._recorded = []
        self._changed = threading.Condition()
        changes.setdefault("max_bytes", 64 * 1024**2)
        self.outbox = Outbox(folder, on_recorded=self._took, **changes)

    def record(self, *results):
        """Hand over, and wait until they are on the disk; returns the newest row."""
        before = len(self._recorded)
        for one in results:
            self.outbox.append(one["camera"], "result", one)
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._recorded) >= before + len(results), 60)
        return self._recorded[-1].row

    def _took(self, recorded):
        with self._changed:
            self._recorded += recorded
            self._changed.notify_all()


@contextmanager
def box(folder, **changes):
    line = Box(folder, **changes)
    line.outbox.start()
    try:
        yield line
    finally:
        line.outbox.close(5.0)


def recorded(folder, *results, **changes):
    """A box that recorded these and was stopped."""
    with box(folder, **changes) as line:
        if results:
            line.record(*results)
    return folder


def shift(count=60, camera="top"):
    """A shift: of ten parts one is scratched, of twenty one undecided, of thirty one without a picture."""
    kinds = {0: "NotOK", 15: "NotDecidable", 29: "Undefined"}
    return [
        result(n, camera, evaluation=kinds.get(n % 30, "NotOK" if n % 10 == 0 else "OK")) for n in range(1, count + 1)
    ]


def payloads(folder):
    """What is on the disk, byte for byte, in the order of recording."""
    history = History(folder)
    try:
        return [kept.row.payload for kept in history.every(Selection())]
    finally:
        history.close()


def results(*arguments):
    """`appliance results ...` in this process; its exit code."""
    try:
        return main(["results", *map(str, arguments)])
    except SystemExit as ended:  # argparse
        return ended.code


def command(*arguments):
    """The same as a command line, for a process of its own."""
    return [sys.executable, "-m", "appliance.cli", "results", *map(str, arguments)]


def started(*arguments, **more):
    """It runs on its own; the caller ends it."""
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def decoded(lines):
    return [json.loads(line) for line in lines if line.strip()]
