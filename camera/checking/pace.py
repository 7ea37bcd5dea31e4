"""What a trial shows, in figures and sentences. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from camera.checking.findings import Finding, note, well, wrong
from camera.checking.trial import Trial
from camera.frame import FrameStatus

_BAD: Final = (
    "aborted",
    "drop",
    "error",
    "fail",
    "incomplete",
    "lost",
    "missing",
    "reconnect",
    "resen",
    "timeout",
    "underrun",
)
"""In a counter's name: it counts what should not be."""
_REACHED: Final = 0.97
_OLD_MS, _TOO_OLD_MS = 200.0, 1000.0
_UNSTEADY: Final = 0.2
Trigger = Literal["software", "free", "hardware", "timed"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one trial; milliseconds. None where there were too few frames to say."""

    frames: int
    rate_hz: float | None
    """Frames a second that the camera gave, also those that were passed over for a newer one."""
    lost: int
    """Exposures of which no frame came."""
    unseen_pulses: int
    """Pulses of the camera's wire, by its own counter, that no frame answered: parts that came too fast."""
    damaged: int
    """Frames that came incomplete, corrupt or too old."""
    skipped: int
    age_p50_ms: float | None
    """From the end of the exposure until the frame could be judged."""
    age_p99_ms: float | None
    period_ms: float | None
    """From exposure to exposure, the mean."""
    jitter_ms: float | None
    """Its standard deviation."""
    latency_p50_ms: float | None
    """From a software trigger until its frame could be judged."""
    latency_p99_ms: float | None


def pace(trial: Trial) -> Pace:
    """The figures."""
    samples = trial.samples
    steps = [(one, two) for one, two in zip(samples, samples[1:], strict=False)]  # noqa: RUF007 - Python 3.10 has it, too
    lost = sum(max(0, two.sequence - one.sequence - 1 - two.skipped_before) for one, two in steps)
    skipped = sum(sample.skipped_before for sample in samples)
    intervals = [(two.exposed_ns - one.exposed_ns) / 1e6 / max(1, two.sequence - one.sequence) for one, two in steps]
    span_s = (samples[-1].exposed_ns - samples[0].exposed_ns) / 1e9 if samples else 0.0
    given = samples[-1].sequence - samples[0].sequence - lost if samples else 0
    ages = [(sample.got_ns - sample.exposed_ns) / 1e6 for sample in samples]
    latencies = [(one.got_ns - one.triggered_ns) / 1e6 for one in samples if one.triggered_ns is not None]
    return Pace(
        frames=len(samples),
        rate_hz=given / span_s if given > 0 and span_s > 0 else None,
        lost=lost,
        unseen_pulses=_unseen_pulses(trial),
        damaged=sum(sample.status is not FrameStatus.OK for sample in samples),
        skipped=skipped,
        age_p50_ms=percentile(ages, 0.5),
        age_p99_ms=percentile(ages, 0.99),
        period_ms=sum(intervals) / len(intervals) if intervals else None,
        jitter_ms=_deviation(intervals),
        latency_p50_ms=percentile(latencies, 0.5),
        latency_p99_ms=percentile(latencies, 0.99),
    )


def judge(trial: Trial, trigger: Trigger, wanted_hz: float | None = None) -> list[Finding]:
    """Sentences on pictures, rate, losses, age and latency. `wanted_hz`: frames a second that the line needs."""
    seen = pace(trial)
    findings = [_came(trial, seen, trigger)]
    if seen.frames == 0:
        return findings
    findings += [_rate(seen, trigger, wanted_hz), _losses(trial, seen), _age(seen)]
    if seen.unseen_pulses:
        findings.append(
            wrong(
                "pulses",
                f"{seen.unseen_pulses} of the wire's pulses exposed nothing: parts come faster than the camera is "
                "ready, or the signal bounces; shorten the exposure, cut the picture (Height), debounce the input",
            )
        )
    if trigger in {"free", "timed"} and seen.jitter_ms is not None and seen.period_ms:
        findings.append(_jitter(seen.jitter_ms, seen.period_ms))
    if trigger == "software":
        findings.append(_latency(trial, seen, wanted_hz))
    if trial.counters and any(trial.counters.values()):
        counted = ", ".join(f"{name} {count}" for name, count in trial.counters.items() if count)
        is_bad = any(count and any(one in name for one in _BAD) for name, count in trial.counters.items())
        findings.append((note if is_bad else well)("driver's counters", counted))
    return findings


def as_json(seen: Pace) -> Mapping[str, Any]:
    """For --json."""
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name in Pace.__dataclass_fields__
        for value in (getattr(seen, name),)
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of all are not above; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def _came(trial: Trial, seen: Pace, trigger: Trigger) -> Finding:
    what = "pictures"
    if trial.ended_by is not None and seen.frames == 0:
        return wrong(what, str(trial.ended_by))
    if seen.frames == 0:
        match trigger:
            case "hardware":
                return note(
                    what,
                    f"no pulse exposed the camera in {trial.seconds:.0f} s: let a part pass; where parts did, look at "
                    "the wire, trigger_source (which input), trigger_activation (which edge)",
                )
            case "software":
                return wrong(
                    what,
                    f"none of {trial.triggers} triggers was answered by a picture: is its TriggerSource Software, and "
                    "is the network's way free (packets, socket buffer, firewall)?",
                )
            case _:
                return wrong(
                    what,
                    f"none came in {trial.seconds:.0f} s: look at packets, socket buffer and firewall, and whether its "
                    "TriggerMode is Off",
                )
    if trial.ended_by is not None:
        return wrong(what, f"after {seen.frames} pictures, {trial.seconds:.1f} s: {trial.ended_by}")
    return well(what, f"{seen.frames} in {trial.seconds:.1f} s")


def _rate(seen: Pace, trigger: Trigger, wanted_hz: float | None) -> Finding:
    what = "frame rate"
    if seen.rate_hz is None:
        return note(what, "too few pictures to say")
    if trigger == "hardware" or wanted_hz is None:
        return well(what, f"{seen.rate_hz:.1f} a second")
    sentence = f"{seen.rate_hz:.1f} a second of {wanted_hz:.1f} that are wanted"
    if seen.rate_hz >= wanted_hz * _REACHED:
        return well(what, sentence)
    if trigger == "software" and (seen.latency_p50_ms or 0.0) < 1e3 / wanted_hz:
        return note(what, f"{sentence}: the camera answers fast enough; this computer is busy, and triggered it late")
    return wrong(
        what,
        f"{sentence}: shorten the exposure, cut the picture (Width, Height), and see whether its frame rate is limited "
        "(AcquisitionFrameRate)",
    )


def _losses(trial: Trial, seen: Pace) -> Finding:
    what = "losses"
    passed_over = f"; {seen.skipped} were passed over for newer ones" if seen.skipped else ""
    if seen.lost or seen.damaged:
        details = sorted({sample.detail for sample in trial.samples if sample.detail})[:1]
        why = f" ({details[0]})" if details else ""
        return wrong(
            what,
            f"{seen.lost} exposures without a picture, {seen.damaged} of {seen.frames} pictures damaged{why}"
            f"{passed_over}: each is a part that could not be judged; look at socket buffer, packets, cable, and what "
            "else this computer does",
        )
    return well(what, f"none{passed_over}")


def _age(seen: Pace) -> Finding:
    what = "frame age"
    p50, p99 = seen.age_p50_ms or 0.0, seen.age_p99_ms or 0.0
    sentence = f"median {p50:.1f} ms, 99 % below {p99:.1f} ms, from the exposure until a picture can be judged"
    if p99 > _TOO_OLD_MS:
        return wrong(what, f'{sentence}: verdicts would be about the past; frames = "newest", and a smaller picture')
    if p99 > _OLD_MS:
        return note(what, f"{sentence}; count it into the deadline")
    return well(what, sentence)


def _jitter(jitter_ms: float, period_ms: float) -> Finding:
    what = "jitter"
    sentence = f"{jitter_ms:.2f} ms from exposure to exposure, which are {period_ms:.1f} ms apart"
    if jitter_ms > period_ms * _UNSTEADY:
        return note(what, f"{sentence}: unsteady; a network camera's own encoder does this, or a busy computer")
    return well(what, sentence)


def _latency(trial: Trial, seen: Pace, wanted_hz: float | None) -> Finding:
    what = "trigger"
    p50, p99 = seen.latency_p50_ms or 0.0, seen.latency_p99_ms or 0.0
    sentence = f"to picture: median {p50:.1f} ms, 99 % below {p99:.1f} ms"
    if trial.unanswered:
        return wrong(what, f"{trial.unanswered} of {trial.triggers} triggers had no picture; {sentence}")
    if trial.too_early and wanted_hz:
        return wrong(
            what,
            f"the camera was still busy at {trial.too_early} of {trial.triggers} triggers; {sentence}; lengthen the "
            "takt, or shorten the exposure",
        )
    return well(what, sentence)


def _unseen_pulses(trial: Trial) -> int:
    """Between the first frame and the last; frames that were lost on the way had a pulse each, too."""
    counted = [(sample.trigger_count, sample.sequence) for sample in trial.samples if sample.trigger_count is not None]
    if len(counted) < 2:
        return 0
    (first, begun), (last, ended) = counted[0], counted[-1]
    return max(0, (last - first) - (ended - begun))


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
