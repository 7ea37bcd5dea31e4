"""`appliance camera check`: what is wrong with a camera and the way to it, and how to repair it."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.commissioning.choosing import Chosen, choose, needed_hz
from appliance.commissioning.errors import CommissioningError
from appliance.commissioning.exposure import exposure_s
from appliance.commissioning.locating import Locating
from appliance.commissioning.opening import explained
from appliance.inspection.gpio_chip import PinError
from appliance.inspection.gpio_pin import look_at_pin
from camera.checking import Finding, Level, pace, worst
from camera.checking.findings import note, well, wrong
from camera.checking.motion import blur
from camera.checking.network import Stream
from camera.checking.picture import as_json, figures, light
from camera.checking.surroundings import (
    after,
    before,
    shares_interface,
    summary_of_settings,
    surroundings,
)
from camera.checking.system import System
from camera.checking.trial import Trial, take
from camera.errors import CameraError
from camera.protocol import CameraInfo
from camera.supervised import SupervisedCamera

_OURS: Final = "net.core.rmem_max"
"""A driver's note on it is left out: `after` says it with the size of a picture."""


@dataclass(slots=True)
class _Report:
    """What was found so far; printed as it comes."""

    is_quiet: bool
    findings: list[Finding] = field(default_factory=list)
    trial: Trial | None = None
    info: CameraInfo | None = None

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.findings.append(finding)
            if not self.is_quiet:
                _progress("")
                print(f"{finding.level.mark} {finding.what}: {finding.sentence}.", flush=True)


def check_camera(options: Namespace) -> int:
    """Returns the exit code: 1 where something has to be repaired. Raises: ConfigError, CommissioningError."""
    chosen = choose(options)
    if options.mm_per_px is None:
        if options.speed_mm_s is not None:
            raise CommissioningError("--speed-mm-s needs --mm-per-px: how many millimetres of the part a pixel shows.")
    elif (options.speed_mm_s or chosen.speed_mm_s) is None:
        raise CommissioningError("--mm-per-px needs --speed-mm-s: how fast the parts move.")
    report, system = _Report(options.json), System()
    _progress("asking where the camera is", report)
    located = Locating([chosen.settings, *(line.camera for line in chosen.neighbours.values())])
    around = surroundings(chosen.settings, system, located.address(chosen.settings))
    ahead = [*located.problems(), *before(around, system)]
    report.add(ahead)
    if any(one.what == "device" and one.level is Level.WRONG for one in ahead):
        return _conclude(chosen, report)
    wanted_hz = options.rate or chosen.needed_hz
    camera = SupervisedCamera(chosen.settings)
    try:
        _try(camera, chosen, options, report, wanted_hz)
    except CameraError as error:
        report.add([wrong("camera", explained(error, chosen).rstrip("."))])
    finally:
        camera.end()
    neighbours = [
        name
        for name, line in chosen.neighbours.items()
        if shares_interface(surroundings(line.camera, system, located.address(line.camera)), around)
    ]
    streams = _streams(chosen, neighbours, report.trial, wanted_hz)
    report.add(after(around, system, streams, _frame_bytes(report.trial)))
    report.add(_motion(chosen, options, report.info))
    report.add(_photo_eye(chosen))
    return _conclude(chosen, report)


def _try(
    camera: SupervisedCamera, chosen: Chosen, options: Namespace, report: _Report, wanted_hz: float | None
) -> None:
    _progress("opening the camera", report)
    begun = time.monotonic()
    camera.open()
    report.info = info = camera.info
    report.add([well("camera", f"{info.model} ({info.serial}) opened in {time.monotonic() - begun:.1f} s")])
    settings = summary_of_settings(info.settings)
    report.add(
        ([settings] if settings else [])
        + [note("camera", said.rstrip(".")) for said in info.notes if _OURS not in said]
    )
    period_s = 1.0 / wanted_hz if wanted_hz else 0.0
    trial = take(camera, options.seconds, period_s, lambda trial: _tell(trial, options.seconds, report))
    report.trial = trial
    report.add(pace.judge(trial, chosen.settings.trigger, wanted_hz))
    frame = trial.last
    if frame is not None and frame.pixels is not None:
        height, width = frame.shape
        report.add([well("picture", f"{width}x{height}, {frame.pixel_format.value}")])
        report.add([light(figures(frame.pixels, frame.pixel_format))])


def _streams(
    chosen: Chosen, neighbours: Sequence[str], trial: Trial | None, wanted_hz: float | None
) -> Sequence[Stream]:
    """This camera's, as measured, and its neighbours', taken to have pictures as large as this one's."""
    frame_bytes = _frame_bytes(trial)
    if trial is None or not frame_bytes:
        return []
    rate = wanted_hz or pace.pace(trial).rate_hz or 0.0
    others = [
        Stream(name, frame_bytes, (chosen.config and needed_hz(chosen.config, name)) or rate) for name in neighbours
    ]
    return [Stream(chosen.name, frame_bytes, rate), *others]


def _frame_bytes(trial: Trial | None) -> int | None:
    return max((sample.nbytes for sample in trial.samples), default=0) or None if trial is not None else None


def _motion(chosen: Chosen, options: Namespace, info: CameraInfo | None) -> list[Finding]:
    speed_mm_s: float | None = options.speed_mm_s or chosen.speed_mm_s
    if options.mm_per_px is None or speed_mm_s is None:
        return []
    exposed_s = exposure_s(chosen.settings, info)
    if exposed_s is None:
        at_most_us = options.mm_per_px / speed_mm_s * 1e6
        return [
            note(
                "motion blur",
                f"the camera does not say how long it exposes; {at_most_us:.0f} µs are one pixel at "
                f"{speed_mm_s:g} mm/s: put its exposure into [cameras.NAME.camera] settings",
            )
        ]
    return [blur(exposed_s, speed_mm_s, options.mm_per_px)]


def _photo_eye(chosen: Chosen) -> list[Finding]:
    """The pin that triggers this camera, or the parts that it sees with others."""
    config = chosen.config
    if config is None:
        return []
    parts = [one for one in config.parts.values() if chosen.name in one.cameras]
    eyes = [one.gpio for one in (config.cameras[chosen.name], *parts) if one.gpio is not None]
    try:
        return [well("trigger", look_at_pin(eye.settings()).rstrip(".")) for eye in eyes]
    except PinError as error:
        return [wrong("trigger", str(error).rstrip("."))]


def _conclude(chosen: Chosen, report: _Report) -> int:
    is_well = worst(report.findings) is not Level.WRONG
    if report.is_quiet:
        print(json.dumps(_json(chosen, report, is_well=is_well), indent=2))
    else:
        print("The camera is well." if is_well else "Not everything is well: see the lines marked with ✗.")
    return 0 if is_well else 1


def _json(chosen: Chosen, report: _Report, *, is_well: bool) -> dict[str, Any]:
    trial, frame = report.trial, report.trial.last if report.trial is not None else None
    return {
        "camera": chosen.name,
        "driver": chosen.settings.driver,
        "model": report.info.model if report.info else None,
        "serial": report.info.serial if report.info else None,
        "well": is_well,
        "findings": [{"what": one.what, "level": one.level.value, "sentence": one.sentence} for one in report.findings],
        "pace": None if trial is None else pace.as_json(pace.pace(trial)),
        "counters": {} if trial is None else dict(trial.counters),
        "picture": None
        if frame is None or frame.pixels is None
        else {
            name: value
            for name, value in as_json(figures(frame.pixels, frame.pixel_format)).items()
            if name != "histogram"
        },
    }


def _tell(trial: Trial, seconds: float, report: _Report) -> None:
    done_s = (time.monotonic_ns() - trial.begun_ns) / 1e9
    _progress(f"taking pictures: {len(trial.samples)} in {done_s:.0f} of {seconds:g} s", report)


def _progress(what: str, report: _Report | None = None) -> None:
    """One line that the next one replaces; an empty one takes it away."""
    if sys.stdout.isatty() and not (report is not None and report.is_quiet):
        print(f"\r\033[K… {what}" if what else "\r\033[K", end="", flush=True)
